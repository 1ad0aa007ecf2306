"""Weights from files: what fits is loaded and reported, anything else changes nothing."""

import hashlib
import http.server
import threading

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from windtunnel.config.models.resnet import Resnet18
from windtunnel.errors import ModelError
from windtunnel.models import pretrained
from windtunnel.models.hub import HubFile
from windtunnel.models.pretrained import fetch
from windtunnel.models.weights import read_weights


def build(*, classes=10, channels=3, **fields):
    return Resnet18(**fields).build(num_classes=classes, in_channels=channels, image_size=(32, 32))


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """A file like the public one: a resnet18 for 1,000 classes."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(build(classes=1000).state_dict(), path)
    return path


def test_everything_but_the_classifier_is_loaded(imagenet):
    network = build(weights=str(imagenet))
    saved = read_weights(imagenet)
    state = network.state_dict()
    assert all(torch.equal(state[key], saved[key]) for key in state if not key.startswith("fc."))
    report = network.load_report
    assert report.skipped == {"fc.weight": "1000x512 in the file, 10x512 here", "fc.bias": "1000 in the file, 10 here"}
    assert (len(report.loaded), report.resized, report.missing) == (120, (), ())
    assert "120 keys loaded from" in str(report) and "fc.weight (1000x512 in the file" in str(report)


def test_as_many_classes_load_the_classifier_as_well(imagenet):
    report = build(weights=str(imagenet), classes=1000).load_report
    assert report.skipped == {} and "fc.weight" in report.loaded


def test_grey_images_get_the_summed_first_filters(imagenet):
    network = build(weights=str(imagenet), channels=1)
    assert network.load_report.resized == ("conv1.weight",)
    torch.testing.assert_close(network.conv1.weight, read_weights(imagenet)["conv1.weight"].sum(1, keepdim=True))


def test_a_small_stem_keeps_its_own_filters(imagenet):
    report = build(weights=str(imagenet), stem="cifar").load_report
    assert "conv1.weight" in report.skipped and "bn1.weight" in report.loaded


def test_another_networks_state_is_refused_and_nothing_changes(tmp_path):
    save_file({"stages.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match=r"another network than Resnet18: stages.0.weight is unknown here"):
        build(weights=str(tmp_path / "other.safetensors"))


def test_a_pickle_is_refused_unread(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"fc.bias": Payload()}, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="is a pickle, which can run code"):
        build(weights=str(tmp_path / "weights.safetensors"))
    assert not (tmp_path / "executed").exists()


def test_missing_and_damaged_files_are_refused(tmp_path, imagenet):
    with pytest.raises(ModelError, match="no weights file"):
        build(weights=str(tmp_path / "none.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(imagenet.read_bytes()[:5000])
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        build(weights=str(tmp_path / "cut.safetensors"))


def test_two_origins_are_refused():
    with pytest.raises(ValidationError, match="two origins of the weights; give one"):
        Resnet18(pretrained=True, weights="x")


@pytest.fixture
def hub(imagenet, tmp_path, monkeypatch):
    """A web server in place of the hub; yields the pinned file."""
    served = tmp_path / "timm" / "resnet18.tv_in1k" / "resolve" / "abc" / "model.safetensors"
    served.parent.mkdir(parents=True)
    served.write_bytes(imagenet.read_bytes())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    digest = hashlib.sha256(imagenet.read_bytes()).hexdigest()
    file = HubFile("timm/resnet18.tv_in1k", "abc", "model.safetensors", digest)
    for switch in ("WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(switch, raising=False)
    yield file
    server.shutdown()
    server.server_close()
    thread.join()


def test_pretrained_is_fetched_once_and_loaded(hub, imagenet, monkeypatch):
    monkeypatch.setattr(pretrained, "RESNET18", hub)
    assert len(build(pretrained=True).load_report.loaded) == 120
    monkeypatch.setenv("WINDTUNNEL_OFFLINE", "1")  # the copy is enough from now on
    assert len(build(pretrained=True).load_report.loaded) == 120


def test_a_file_with_another_digest_is_not_kept(hub, tmp_path):
    wrong = HubFile(hub.repository, hub.revision, hub.name, "0" * 64)
    with pytest.raises(ModelError, match=r"not 0000.*nothing was kept"):
        fetch(wrong)
    assert list((tmp_path / "cache").rglob("*.*")) == []


@pytest.mark.parametrize("switch", ["WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_says_what_to_fetch(switch, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(switch, "1")
    with pytest.raises(ModelError, match=f"{switch} is set.*give it as model.weights"):
        fetch(pretrained.RESNET18)


def test_without_a_network_the_error_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"cannot fetch http://127.0.0.1:9/timm/resnet18.tv_in1k/resolve/bbd144b3"):
        fetch(pretrained.RESNET18)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_address_without_a_scheme_is_told_as_one_that_cannot_be_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "hf-mirror.example")
    with pytest.raises(ModelError, match=r"cannot fetch hf-mirror.example/timm/.*unknown url type"):
        fetch(pretrained.RESNET18)


def test_a_download_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    class BreaksOff(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"ffff\r\nbeginning")
            self.close_connection = True

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), BreaksOff)
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"cannot fetch .*IncompleteRead"):
        fetch(pretrained.RESNET18)
    thread.join()
    server.server_close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

import errno
import io
import string
import sys

from hypothesis import given
from hypothesis import strategies as st

from windtunnel.core.secrets import hide_in_words, hide_secrets, print_failure

SECRETS = st.text(string.ascii_letters + string.digits, min_size=8, max_size=40)
NAMES = st.sampled_from(
    ["WANDB_API_KEY", "hf_token", "MY_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SSH_PASSPHRASE", "credentials"]
)
OTHERS = st.text(string.punctuation + " \n", max_size=20)


@given(secret=SECRETS, name=NAMES, before=OTHERS, after=OTHERS)
def test_a_secret_of_the_environment_is_nowhere(secret, name, before, after):
    shown = hide_secrets(f"{before}{secret}{after}{secret}", {name: secret, "HOME": "/home/me"})
    assert secret not in shown
    assert hide_secrets(before, {name: secret}) == hide_secrets(before, {})


@given(
    password=SECRETS,
    user=st.sampled_from(["", "me", "x-token"]),
    scheme=st.sampled_from(["https", "postgresql+psycopg", "http"]),
)
def test_an_address_loses_its_password_and_keeps_its_place(password, user, scheme):
    shown = hide_secrets(f"no answer from {scheme}://{user}:{password}@hub.example:80/a@b", {})
    assert shown == f"no answer from {scheme}://***@hub.example:80/a@b"


@given(secret=SECRETS, name=st.sampled_from(["--api-key", "--password", "-token", "--WANDB-SECRET"]))
def test_what_follows_an_option_named_after_a_secret_is_hidden(secret, name):
    assert hide_in_words(["train", name, secret, "x"], {}) == ["train", name, "***", "x"]
    assert hide_in_words([f"{name}={secret}"], {}) == [f"{name}=***"]


def test_ordinary_words_stay():
    words = [
        "windtunnel",
        "train",
        "cifar10/airbench94",
        "optim.lr=0.1",
        "data.source.path=/data/a@b",
        "--track",
        "wandb",
        "a=b://c",
    ]
    assert hide_in_words(words, {"PATH": "/usr/bin:/bin", "MONKEY": "short", "HOME": "/home/me"}) == words


def test_what_a_full_disk_does_not_take_of_a_traceback_raises_nothing(monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    try:
        raise ValueError("what went wrong")
    except ValueError:
        print_failure()
    assert "what went wrong" in sys.stderr.getvalue()

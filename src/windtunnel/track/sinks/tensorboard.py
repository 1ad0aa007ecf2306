"""TensorBoard: event files in the run folder's ``tensorboard/``, written by TensorBoard's own writer."""

import struct
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from windtunnel.track.sinks.base import RunStart, Scalar

_STATUS = {"finished": Status.STATUS_SUCCESS, "diverged": Status.STATUS_FAILURE}


class TensorBoardSink:
    """Writes scalars, the settings as hyperparameters and text, and pictures."""

    def start(self, run: RunStart) -> str:
        """Open a new event file and hide what was written after the step the run starts from."""
        self._folder = run.folder / "tensorboard"
        self._writer = EventFileWriter(str(self._folder))
        self._step = run.start_step
        # also from step 0: a run that was killed before its first checkpoint begins anew
        self._write(Event(session_log=SessionLog(status=SessionLog.START), step=run.start_step + 1))
        self._write_text("config", run.config)
        self._write_text("environment", run.environment)
        self._write_hparams(run)
        self._writer.flush()
        return f"tensorboard --logdir {self._folder}"

    def epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the figures and put them on disk."""
        self._step = step
        self._write_scalars(metrics)
        self._writer.flush()

    def picture(self, name: str, path: Path) -> None:
        """Write the picture; its size stands in the PNG's header."""
        content = path.read_bytes()
        width, height = struct.unpack(">II", content[16:24])
        image = Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=content)
        self._write_summary(Summary.Value(tag=name, image=image))

    def finish(self, status: str, metrics: Mapping[str, float], summary: Mapping[str, Scalar]) -> None:
        """Write the test figures and how the run ended; one that may go on gets no end, for the first one counts."""
        self._write_scalars(metrics)
        if summary:
            self._write_text("summary", {"status": status, **summary})
        if status in _STATUS:
            end = SessionEndInfo(status=_STATUS[status])
            self._write_session(hparams.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end))
        self._writer.close()

    def _write_scalars(self, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._write_summary(Summary.Value(tag=name, simple_value=value))

    def _write_text(self, tag: str, values: Mapping[str, Scalar]) -> None:
        table = "\n".join(
            ["| field | value |", "|---|---|", *(f"| {key} | {value} |" for key, value in values.items())]
        )
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, string_val=[table.encode()], tensor_shape=shape)
        self._write_summary(Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=tensor))

    def _write_hparams(self, run: RunStart) -> None:
        start = SessionStartInfo(group_name=run.name)
        for key, value in run.config.items():
            if isinstance(value, bool):
                start.hparams[key].bool_value = value
            elif isinstance(value, int | float):
                start.hparams[key].number_value = value
            else:
                start.hparams[key].string_value = str(value)
        self._write_session(hparams.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start))

    def _write_session(self, tag: str, data: HParamsPluginData) -> None:
        metadata = hparams.create_summary_metadata(data)
        self._write_summary(Summary.Value(tag=tag, metadata=metadata, tensor=hparams.NULL_TENSOR))

    def _write_summary(self, value: Summary.Value) -> None:
        self._write(Event(summary=Summary(value=[value]), step=self._step))

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()  # the writer stamps only events of its own
        self._writer.add_event(event)

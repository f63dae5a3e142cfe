"""A step that a GPU repeats by itself: captured once as a CUDA graph, then replayed without Python."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

LOGGER = logging.getLogger("nst")

WARM_UP = 2  # times that a step runs as it is before it is captured: libraries are loaded, kernels chosen, buffers made


class Repeated:
    """Something to be done again and again, on a CUDA device by replaying a graph of it where that can be.

    Args:
        action: takes and gives nothing. To be captured it must read and write tensors that stay where they are, read
            nothing back to the host and copy nothing from there.
        device: where it computes.
        capturable: whether it is such a one; any other runs as it is, which is logged.
    """

    def __init__(self, action: Callable[[], object], device: torch.device, capturable: bool = True) -> None:
        self.action, self.device, self.capturable = action, device, capturable
        self.graph: torch.cuda.CUDAGraph | None = None
        self.runs_before_capture = WARM_UP if capturable and device.type == "cuda" else None
        if device.type == "cuda" and not capturable:
            _told("it draws, or looks at its own results")

    def __call__(self) -> None:
        """Do it once; what it computes is there for whatever comes next on the current stream."""
        if self.runs_before_capture is None:
            self.action()
        elif self.runs_before_capture > 0:
            self.runs_before_capture -= 1
            self._beside(self.action)
        else:
            if self.graph is None and not self._capture():
                self.runs_before_capture = None
            self.action() if self.graph is None else self.graph.replay()

    def _beside(self, action: Callable[[], object]) -> None:
        """Do it on a stream of its own, as capturing demands, in order with what comes before and after."""
        if not hasattr(self, "stream"):
            self.stream = torch.cuda.Stream(self.device)
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            action()
        current.wait_stream(self.stream)

    def _capture(self) -> bool:
        """Whether it could be captured. Nothing of it is done meanwhile."""
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize(self.device)
        kept = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        if kept > torch.cuda.mem_get_info(self.device)[0]:  # a graph takes memory of its own, and cannot ask for this
            torch.cuda.empty_cache()

        def record() -> None:
            # Other threads may go on using the device meanwhile.
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                self.action()
            finally:
                graph.capture_end()

        try:
            self._beside(record)
        except RuntimeError as error:
            _told(" ".join(str(error).split())[:200])
            return False
        self.graph = graph
        return True


def _told(reason: str) -> None:
    LOGGER.info("a step runs without a CUDA graph", extra={"facts": {"reason": reason}})

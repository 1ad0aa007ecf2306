"""Processes for tests, forked from one that has torch and the package imported.

Importing both takes seconds of a core, for every process anew. A fork of a process that has done it once is a process
of its own all the same: it leads a session, has its own memory, folder and environment, and can be killed. It is for
tests that are not about starting up. The process that forks is a new one: it has none of this one's threads, and checks
no annotations.
"""

import multiprocessing
import os
import sys

from windtunnel.dispatch.fork_server import PRELOADED


class Forks:
    """Starts functions of modules below ``tests`` in processes of their own."""

    def __init__(self):
        self._context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux":
            self._context.set_forkserver_preload(list(PRELOADED))

    def start(self, function, *arguments, log=os.devnull, **variables):
        """Return a process that calls ``function``; its output is appended to ``log``.

        ``variables`` are put into its environment, which is this process's at the moment.
        """
        process = self._context.Process(target=_call, args=(function, arguments, {**os.environ, **variables}, str(log)))
        process.start()
        return process

    def run(self, function, *arguments, log=os.devnull, **variables):
        """Call ``function`` in a process of its own and return the exit code, negative for a signal."""
        process = self.start(function, *arguments, log=log, **variables)
        process.join()
        return process.exitcode


def _call(function, arguments, environment, log):
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    function(*arguments)

"""The live page: a small web server over a catalog of runs; needs ``windtunnel[ui]``."""

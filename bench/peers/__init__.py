"""mmdb beside what people would pick instead, on the same data and machine: `make bench-peers`.

Each competitor is a process of its own in `.venv-peers` (bench/peers/serve.py), so that their libraries and threads do
not disturb each other. The driver asks them in turns, one query of each at a time; the time is taken in the
competitor's process, around the call that its users would write. Vectors go through files, never through the pipe.
"""

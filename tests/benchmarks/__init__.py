"""Benchmarks: `python -m tests.benchmarks [name …] [--rounds N] [--json]`, or `make benchmark`.

Machines differ and are noisy, so nothing here asserts a time. What is compared is measured in one run, in turns, and
shown as a ratio or a difference of medians beside its published target. `make test-benchmarks` runs each once, small.
"""

"""Tests of the tools of the other suites: a comparer that sees nothing proves nothing."""

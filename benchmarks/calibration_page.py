"""Writes the results of `make calibrate`."""


def write(chunks):
    return 0

"""Gates many samples, nothing else: the samples sheet, the worker, the runner."""

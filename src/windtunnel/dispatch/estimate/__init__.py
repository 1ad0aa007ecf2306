"""What a run will need, before it runs: memory traced on tensors without data, time from runs already measured.

Nothing here imports torch when it is imported: whoever plans runs stays small, a child process does the tracing.
"""

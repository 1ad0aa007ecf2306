"""Static reports: a run, a sweep, a comparison or an ablation as one file, with pictures and tables on request."""

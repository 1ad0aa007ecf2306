"""The source reports' own experiments, run again at full length or cut to a budget, and shown beside their figures."""

"""Figures with 95 % intervals: bootstrap over groups, cluster-robust, paired."""

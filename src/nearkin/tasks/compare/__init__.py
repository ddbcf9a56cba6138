"""Which loss, or which backbone, suits some data: equal budgets, unseen classes, several trainings each."""

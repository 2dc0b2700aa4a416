"""The schema, step by step: `NNNN_name.sql` files, each run once, in order, by `models.migrate`."""

"""Flask blueprints, thin: a view takes its arguments, calls the core and renders."""

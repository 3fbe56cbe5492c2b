"""The pages of the console: each reads by a service and renders a template, or acts by a service and redirects."""

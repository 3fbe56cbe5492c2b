"""Endpoints, their messages, attempts and redeliveries as people see them. What messages say to endpoints stays out."""

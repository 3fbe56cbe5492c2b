"""Words sentences of the services that have no code of their own, by their form. What has no words stays English."""

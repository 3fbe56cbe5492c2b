"""What the services' codes mean, and what a person does about each. The codes themselves and their details stay out."""

"""Settings as a class: what it declares, and how an object of it is made from the options."""

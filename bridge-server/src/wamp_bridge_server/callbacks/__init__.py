"""What goes out to the apps: signed POSTs to their callback URLs, and what they answer."""

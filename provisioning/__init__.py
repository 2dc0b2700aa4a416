"""The core: what may happen and what it means. No Flask, no HTTP, no clock of its own: `now` comes in."""

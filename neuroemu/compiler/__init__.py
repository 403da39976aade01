"""From a network and a chip to an image: quantise, place, route."""

"""The files in `manifests/container`: `make test-container`. No image is built, as that needs a container engine."""

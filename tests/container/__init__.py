"""The files in `manifests/container` and `manifests/kubernetes`. No image is built, and no cluster is started."""

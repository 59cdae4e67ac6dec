"""Detect the media type of a file from its first bytes.

The Inference Toolkit requires the Content-Type of a media file, and reads nothing else.
"""

UNKNOWN = "application/octet-stream"

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xfa", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "audio/webm"),
    (b"%PDF-", "application/pdf"),
)
_ISO_BRANDS = {b"avif": "image/avif", b"heic": "image/heic", b"mif1": "image/heif"}
_RIFF = {b"WAVE": "audio/wav", b"WEBP": "image/webp"}


_ALSO_KNOWN = (
    "image/svg+xml",
    "audio/aac",
    "audio/l16",
    "audio/mp3",
    "audio/opus",
    "audio/pcm",
    "audio/wave",
    "audio/x-flac",
    "audio/x-wav",
    "video/mp4",
    "video/webm",
)
"""Types that an answer may state, and that its first bytes do not show or show under another name."""
_KNOWN = frozenset({*(kind for _, kind in _MAGIC), *_ISO_BRANDS.values(), *_RIFF.values(), "audio/mp4", *_ALSO_KNOWN})


def media_type_of(content: bytes, declared: str) -> str:
    """The media type that is declared for a file, if it is a known one, else that of its content.

    Whoever made the file declares it: it is shown to models, so nothing but a known type passes.
    """
    declared = declared.partition(";")[0].strip().lower()
    return declared if declared in _KNOWN else detect_media_type(content)


def detect_media_type(content: bytes) -> str:
    """The media type of a file's content, `application/octet-stream` if it is not a common one."""
    if content.startswith(b"RIFF"):
        return _RIFF.get(content[8:12], UNKNOWN)
    if content[4:8] == b"ftyp":
        return _ISO_BRANDS.get(content[8:12], "audio/mp4")
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), UNKNOWN)


def is_media_of(media_kind: str, content_type: str, content: bytes) -> bool:
    """Whether a file is of a media kind (`image`, `audio`), by its Content-Type or its first bytes.

    A Content-Type that names no media type is accepted.
    """
    declared = content_type.partition(";")[0].strip().lower()
    return declared == UNKNOWN or any(
        kind.startswith(f"{media_kind}/") for kind in (declared, detect_media_type(content))
    )

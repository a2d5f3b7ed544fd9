"""Converts an untrusted image, as a stand-alone program with few resources and no secrets.

`python imaging.py ORIGINAL FOLDER` reads the file ORIGINAL. Into FOLDER it writes the converted `image`, and one file
for each variant, named by its width. It prints a JSON object: what it has written, or the `code` and the `message` of
an error. Decoders of images have bugs: this process limits its memory and its time, and has no access to secrets or to
the database.
"""

import errno
import json
import sys
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

MAX_PIXELS = 40_000_000
MAX_FRAMES = 200
MAX_ANIMATION_PIXELS = 200_000_000
MAX_WEBP_SIDE = 16_383
VARIANT_WIDTHS = (320, 640, 1280, 1920)
MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 30
FILE_BYTES = 256 * 1024**2
NICENESS = 10

SIGNATURES = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF8", "WEBP": b"RIFF"}
_SAVE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 85, "optimize": True, "progressive": True},
    "WEBP": {"quality": 85},
}
_MODES = {"JPEG": ("RGB", "L"), "PNG": ("RGB", "RGBA", "L", "LA", "P", "1"), "WEBP": ("RGB", "RGBA")}
_UNREADABLE = {"code": "image_unreadable", "message": "The image is damaged."}
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class ImageRejected(Exception):
    """An image that is not accepted. Its arguments are a stable code and a message."""


def convert(original: Path, folder: Path) -> dict[str, Any]:
    """Write the image and its variants without metadata; return the content type and the sizes in pixels.

    Still images are rotated as their EXIF data says and converted to sRGB. Animated images keep their pixels and get
    no variants. Raises `ImageRejected`.
    """
    image, kind = _open(original)
    if getattr(image, "is_animated", False) and kind != "JPEG":
        _write_animated(image, folder / "image", kind)
        variants: list[tuple[int, int]] = []
    else:
        image, profile = _upright_in_srgb(image)
        image = _in_mode(image, _MODES.get(kind, ("P", "L", "RGB", "RGBA")))
        _write(image, folder / "image", kind, icc_profile=profile, **_SAVE.get(kind, {}))
        variants = _write_variants(_in_mode(image, _MODES["WEBP"]), folder, profile)
    return {"content_type": f"image/{kind.lower()}", "width": image.width, "height": image.height, "variants": variants}


def _open(path: Path) -> tuple[Image.Image, str]:
    """Return the image, of which only the header has been read, and its format."""
    try:
        image: Image.Image = Image.open(path, formats=tuple(SIGNATURES))
    except UnidentifiedImageError:
        with path.open("rb") as file:
            signature = file.read(12)
        if not any(map(signature.startswith, SIGNATURES.values())) or (
            signature.startswith(b"RIFF") and not signature.endswith(b"WEBP")
        ):
            raise ImageRejected("image_type_unsupported", "Send a JPEG, PNG, WebP or GIF image.") from None
        raise
    kind = "JPEG" if image.format == "MPO" else str(image.format)  # the first picture of an MPO is a JPEG
    if image.width * image.height > MAX_PIXELS:
        raise ImageRejected("image_too_large", f"An image may have at most {MAX_PIXELS // 1_000_000} megapixels.")
    frames = 1 if kind == "JPEG" else getattr(image, "n_frames", 1)
    if frames > MAX_FRAMES:
        raise ImageRejected("image_too_long", f"An animation may have at most {MAX_FRAMES} frames.")
    if frames > 1 and frames * image.width * image.height > MAX_ANIMATION_PIXELS:
        message = f"The frames of an animation may have at most {MAX_ANIMATION_PIXELS // 10**6} megapixels together."
        raise ImageRejected("image_too_large", message)
    return image, kind


def _upright_in_srgb(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """Return the image, rotated and in sRGB, and the sRGB profile if the image had a colour profile."""
    icc = image.info.get("icc_profile")
    image.load()
    image = ImageOps.exif_transpose(image)
    if not icc:
        return image, None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        if image.mode in ("P", "PA", "LA", "1"):
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, profile, _SRGB, outputMode=mode)
        return converted or image, _SRGB.tobytes()
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image, None  # an invalid profile is ignored


def _in_mode(image: Image.Image, modes: tuple[str, ...]) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip the values instead of scaling them
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in modes:
        return image
    if "RGBA" in modes and image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB")


def _write(image: Image.Image, path: Path, kind: str, **options: Any) -> None:
    """Save only the pixels: Pillow would copy comments and other metadata from `info`."""
    image.info = {name: value for name, value in image.info.items() if name == "transparency"}
    _save(image, path, kind, **options)


def _write_animated(image: Image.Image, path: Path, kind: str) -> None:
    # Removes only metadata: `info` also contains the duration and the disposal of each frame.
    for name in ("comment", "exif", "xmp", "XML:com.adobe.xmp", "icc_profile"):
        image.info.pop(name, None)
    empty: dict[str, Any] = {"GIF": {"comment": b""}, "PNG": {"exif": b""}}.get(kind, {"exif": b"", "xmp": b""})
    _save(image, path, kind, save_all=True, **_SAVE.get(kind, {}), **empty)


def _save(image: Image.Image, path: Path, kind: str, **options: Any) -> None:
    file = BytesIO()
    image.save(file, kind, **options)
    path.write_bytes(file.getvalue())  # raises when the disk is full; Pillow's own file writing does not


def _write_variants(image: Image.Image, folder: Path, profile: bytes | None) -> list[tuple[int, int]]:
    variants: list[tuple[int, int]] = []
    for width in reversed([width for width in VARIANT_WIDTHS if width <= image.width]):
        height = max(1, round(image.height * width / image.width))
        if height > MAX_WEBP_SIDE:
            continue
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
        _write(image, folder / str(width), "WEBP", icc_profile=profile, quality=80)
        variants.insert(0, (width, height))
    return variants


def _limit_resources() -> None:
    """Limit the memory, the CPU time and the file sizes of this process, and lower its priority."""
    try:
        import os
        import resource
    except ImportError:  # on Windows, only the caller's timeout applies
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    os.nice(NICENESS)


def main(original: Path, folder: Path) -> dict[str, Any]:
    """Return the result of `convert`, or the `code` and the `message` of an error."""
    warnings.simplefilter("ignore")  # sizes are checked here, and broken metadata is removed
    Image.MAX_IMAGE_PIXELS = None
    try:
        return convert(original, folder)
    except ImageRejected as error:
        return dict(zip(("code", "message"), error.args, strict=True))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return {"code": "storage_full", "message": ""}
        return _UNREADABLE
    except MemoryError:
        return {"code": "image_too_costly", "message": "The image takes too much memory to read."}
    except Exception:  # decoders raise many kinds of errors
        return _UNREADABLE


if __name__ == "__main__":
    _limit_resources()
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))

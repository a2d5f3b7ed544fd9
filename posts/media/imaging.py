"""Reads an image that a stranger sent, and writes it anew: a program of its own, with little to lose.

`python imaging.py FOLDER` reads `upload` in the folder, and writes `image` and, by their widths, the variants. It says
on its output, in JSON, what it has made, or what is wrong with the upload. What can go wrong while an image is decoded
goes wrong here: memory and time are bounded, and there is no secret and no database to reach.
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
MAX_PIXELS_OF_FRAMES = 200_000_000
MAX_WEBP_SIDE = 16_383
VARIANT_WIDTHS = (320, 640, 1280, 1920)
MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 30
FILE_BYTES = 256 * 1024**2
NICENESS = 10

BEGINNINGS = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF8", "WEBP": b"RIFF"}
_SAVE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 85, "optimize": True, "progressive": True},
    "PNG": {},
    "GIF": {},
    "WEBP": {"quality": 85},
}
_MODES = {"JPEG": ("RGB", "L"), "PNG": ("RGB", "RGBA", "L", "LA", "P", "1"), "WEBP": ("RGB", "RGBA")}
_UNREADABLE = {"code": "image_unreadable", "message": "The image is damaged."}
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class Refused(Exception):
    """What is wrong with an image: a stable code, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def convert(folder: Path) -> dict[str, Any]:
    """Write the image and its variants without metadata, and say their sizes in pixels. Raises `Refused`.

    The pixels are turned as EXIF says and made sRGB. An animated image stays one, with the pixels that it has, and gets
    no variants.
    """
    image, kind = _open(folder / "upload")
    if getattr(image, "is_animated", False) and kind != "JPEG":
        _write_animated(image, folder / "image", kind)
        variants: list[tuple[int, int]] = []
    else:
        image, profile = _upright_in_srgb(image)
        image = _in_mode(image, _MODES.get(kind, ("P", "L", "RGB", "RGBA")))
        _write(image, folder / "image", kind, icc_profile=profile, **_SAVE[kind])
        variants = _write_variants(_in_mode(image, _MODES["WEBP"]), folder, profile)
    return {"content_type": f"image/{kind.lower()}", "width": image.width, "height": image.height, "variants": variants}


def _open(path: Path) -> tuple[Image.Image, str]:
    """The image, of which the header is read, and its format."""
    try:
        image: Image.Image = Image.open(path, formats=tuple(BEGINNINGS))
    except UnidentifiedImageError:
        with path.open("rb") as file:
            beginning = file.read(12)
        if not any(map(beginning.startswith, BEGINNINGS.values())) or (
            beginning.startswith(b"RIFF") and not beginning.endswith(b"WEBP")
        ):
            raise Refused("image_type_unsupported", "Send a JPEG, PNG, WebP or GIF image.") from None
        raise
    kind = "JPEG" if image.format == "MPO" else str(image.format)  # the first of several pictures of a camera
    if image.width * image.height > MAX_PIXELS:
        raise Refused("image_too_large", f"An image may have at most {MAX_PIXELS // 1_000_000} megapixels.")
    frames = getattr(image, "n_frames", 1)
    if kind != "JPEG" and frames > MAX_FRAMES:
        raise Refused("image_too_long", f"An animation may have at most {MAX_FRAMES} frames.")
    if kind != "JPEG" and frames > 1 and frames * image.width * image.height > MAX_PIXELS_OF_FRAMES:
        millions = MAX_PIXELS_OF_FRAMES // 1_000_000
        raise Refused("image_too_large", f"The frames of an animation may have at most {millions} megapixels together.")
    return image, kind


def _upright_in_srgb(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """The pixels as they are to be seen, and the profile of sRGB if the image came with any."""
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
        return image, None  # a profile that cannot be used is none


def _in_mode(image: Image.Image, modes: tuple[str, ...]) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off and not scale
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in modes:
        return image
    if "RGBA" in modes and image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB")


def _write(image: Image.Image, path: Path, kind: str, **options: Any) -> None:
    """Save nothing but the pixels: Pillow would take comments and the like over from `info`."""
    image.info = {name: value for name, value in image.info.items() if name == "transparency"}
    _save(image, path, kind, **options)


def _write_animated(image: Image.Image, path: Path, kind: str) -> None:
    # What Pillow does not leave out by itself. The times and the kind of each frame are its own.
    for name in ("comment", "exif", "xmp", "XML:com.adobe.xmp", "icc_profile"):
        image.info.pop(name, None)
    empty: dict[str, Any] = {"GIF": {"comment": b""}, "PNG": {"exif": b""}}.get(kind, {"exif": b"", "xmp": b""})
    _save(image, path, kind, save_all=True, **_SAVE[kind], **empty)


def _save(image: Image.Image, path: Path, kind: str, **options: Any) -> None:
    file = BytesIO()
    image.save(file, kind, **options)
    path.write_bytes(file.getvalue())  # Pillow itself does not notice that a disk is full


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


def _bound() -> None:
    """Give this process little memory, little time and a low priority."""
    try:
        import os
        import resource
    except ImportError:  # Windows: the caller's timeout remains
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    os.nice(NICENESS)


def main(folder: Path) -> dict[str, Any]:
    """What is said on the output: what `convert` has made, or the `code` and `message` of what is wrong."""
    warnings.simplefilter("ignore")  # the sizes are checked here, and broken metadata is left behind
    Image.MAX_IMAGE_PIXELS = None
    try:
        return convert(folder)
    except Refused as refusal:
        return {"code": refusal.code, "message": refusal.message}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return {"code": "storage_full", "message": ""}
        return _UNREADABLE
    except MemoryError:
        return {"code": "image_too_costly", "message": "The image takes too much memory to read."}
    except Exception:  # whatever a decoder stumbles over
        return _UNREADABLE


if __name__ == "__main__":
    _bound()
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))

"""Images for tests, valid and hostile."""

import struct
import zlib
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image

ORIENTATION = 0x0112
GPS = 0x8825


@cache
def image_bytes(kind: str = "PNG", size: tuple[int, int] = (8, 6), colour: Any = (200, 30, 30)) -> bytes:
    """Return an encoded image of one colour."""
    return saved(Image.new("RGB", size, colour), kind)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the image, encoded in this format."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    """Return the decoded image."""
    image: Image.Image = Image.open(BytesIO(content))
    image.load()
    return image


def photo() -> bytes:
    """Return a JPEG like one from a camera: to be rotated, red on the left, with a GPS position and comments."""
    image = Image.new("RGB", (800, 600), (20, 20, 200))
    image.paste((220, 20, 20), (0, 0, 400, 600))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be rotated clockwise by 90 degrees: the left side becomes the top
    exif[0x010E] = "a secret description"
    exif.get_ifd(GPS).update({1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    return saved(image, "JPEG", exif=exif, comment=b"a secret comment", xmp=b"<x:xmpmeta>a secret packet</x:xmpmeta>")


def animation(kind: str = "GIF", frames: int = 3) -> bytes:
    """Return an encoded animation that loops for ever, with 50 ms for each frame."""
    images = [Image.new("RGB", (40, 30), (number * 7 % 256, 0, number % 2 * 255)) for number in range(frames)]
    options = {"comment": b"a secret comment"} if kind == "GIF" else {}
    return saved(images[0], kind, save_all=True, append_images=images[1:], duration=50, loop=0, **options)


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG whose header declares this size, with 100 MB of black pixels that compress to about 100 KB."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")

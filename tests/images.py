"""Images for tests: good ones, and such that are made to hurt."""

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
    """An image of one colour."""
    return saved(Image.new("RGB", size, colour), kind)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    image: Image.Image = Image.open(BytesIO(content))
    image.load()
    return image


def photo() -> bytes:
    """A JPEG as a camera makes it: lying on its side, red at the left, with a place and comments."""
    image = Image.new("RGB", (800, 600), (20, 20, 200))
    image.paste((220, 20, 20), (0, 0, 400, 600))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by a quarter, clockwise: the left becomes the top
    exif[0x010E] = "a secret description"
    exif.get_ifd(GPS).update({1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    return saved(image, "JPEG", exif=exif, comment=b"a secret comment", xmp=b"<x:xmpmeta>a secret packet</x:xmpmeta>")


def animation(kind: str = "GIF", frames: int = 3) -> bytes:
    pictures = [Image.new("RGB", (40, 30), (number * 7 % 256, 0, number % 2 * 255)) for number in range(frames)]
    options = {"comment": b"a secret comment"} if kind == "GIF" else {}
    return saved(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=50, loop=0, **options)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says to be so large, with as many black pixels as compress to some 100 KB."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")

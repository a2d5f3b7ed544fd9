"""The program that converts untrusted images."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from posts.media import imaging
from tests.images import animation, image_bytes, opened, photo, png_of_size, saved

SECRETS = [b"secret", b"<?php", b"Exif", b"adobe.xmp", b"xmpmeta"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def convert(folder: Path, content: bytes) -> dict[str, Any]:
    (folder / "upload").write_bytes(content)
    return imaging.main(folder / "upload", folder)


def converted(folder: Path) -> Image.Image:
    return opened((folder / "image").read_bytes())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_converted_image_keeps_its_format_and_size(folder: Path, kind: str) -> None:
    result = convert(folder, image_bytes(kind, (30, 20)))
    assert result == {"content_type": f"image/{kind.lower()}", "width": 30, "height": 20, "variants": []}
    image = converted(folder)
    assert (image.format, image.size) == (kind, (30, 20))
    red, green, blue = image.convert("RGB").getpixel((15, 10))  # type: ignore[misc]
    assert abs(red - 200) + abs(green - 30) + abs(blue - 30) < 12


def test_a_photo_is_rotated_and_loses_its_metadata(folder: Path) -> None:
    result = convert(folder, photo())
    assert (result["width"], result["height"]) == (600, 800)
    image = converted(folder)
    assert image.size == (600, 800)
    assert not image.getexif()
    for y, dominant in ((100, 0), (700, 2)):
        pixel = image.getpixel((300, y))
        assert isinstance(pixel, tuple)
        assert max(range(3), key=pixel.__getitem__) == dominant
    for file in folder.iterdir():
        if file.name != "upload":
            assert not any(secret in file.read_bytes() for secret in SECRETS), file


@pytest.mark.parametrize(
    ("width", "widths"),
    [(319, []), (320, [320]), (1000, [320, 640]), (1920, [320, 640, 1280, 1920]), (2500, [320, 640, 1280, 1920])],
)
def test_variants_are_never_larger_than_the_image(folder: Path, width: int, widths: list[int]) -> None:
    result = convert(folder, image_bytes("PNG", (width, width // 2)))
    assert result["variants"] == [(w, round(width // 2 * w / width)) for w in widths]
    for variant in result["variants"]:
        image = opened((folder / str(variant[0])).read_bytes())
        assert (image.format, image.size) == ("WEBP", variant)


def test_a_variant_that_is_too_high_for_webp_is_left_out(folder: Path) -> None:
    result = convert(folder, saved(Image.new("L", (700, 30_000)), "PNG"))
    assert result["variants"] == [(320, 13_714)]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_keeps_its_frames(folder: Path, kind: str) -> None:
    result = convert(folder, animation(kind))
    assert (result["width"], result["height"], result["variants"]) == (40, 30, [])
    image = converted(folder)
    assert image.n_frames == 3  # type: ignore[attr-defined]
    colours = []
    for frame in range(3):
        image.seek(frame)
        pixel = image.convert("RGB").getpixel((20, 15))
        assert isinstance(pixel, tuple)
        colours.append(round(pixel[2] / 255))
        assert image.info["duration"] == 50 or kind == "PNG"
    assert colours == [0, 1, 0]
    assert b"secret" not in (folder / "image").read_bytes()


def test_transparency_is_kept(folder: Path) -> None:
    for image, kind in ((Image.new("RGBA", (400, 9), (9, 9, 9, 0)), "PNG"), (Image.new("LA", (400, 9)), "PNG")):
        convert(folder, saved(image, kind))
        for name in ("image", "320"):
            pixel = opened((folder / name).read_bytes()).convert("RGBA").getpixel((5, 5))
            assert isinstance(pixel, tuple)
            assert pixel[3] == 0


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "I;16", "RGB", "RGBA"])
def test_a_png_of_any_pixel_format_is_read(folder: Path, mode: str) -> None:
    assert "code" not in convert(folder, saved(Image.new(mode, (330, 4)), "PNG"))
    assert converted(folder).size == (330, 4)


def test_16_bit_grey_is_scaled_to_8_bits(folder: Path) -> None:
    ramp = Image.new("I;16", (256, 1))
    for x in range(256):
        ramp.putpixel((x, 0), x * 257)
    convert(folder, saved(ramp, "PNG"))
    grey = converted(folder).convert("L")
    assert [grey.getpixel((x, 0)) for x in (0, 1, 128, 255)] == [0, 1, 128, 255]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE works differently elsewhere")
def test_a_file_that_cannot_be_written_completely_is_an_error(folder: Path) -> None:
    program = "import resource, sys; from pathlib import Path; from posts.media import imaging;"
    program += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
    program += "print(imaging.main(Path(sys.argv[1]), Path(sys.argv[2]))['code'])"
    (folder / "upload").write_bytes(saved(Image.effect_noise((300, 300), 50), "PNG"))
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "upload"), str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "storage_full"


def test_cmyk_becomes_rgb(folder: Path) -> None:
    assert "code" not in convert(folder, saved(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG"))
    image = converted(folder)
    assert image.mode == "RGB"
    pixel = image.getpixel((9, 9))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200 > 60 > max(pixel[1:])


def test_colours_are_converted_to_srgb(folder: Path) -> None:
    # A profile with red and blue exchanged: a red pixel becomes blue.
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    for kind in ("PNG", "JPEG", "WEBP"):
        convert(folder, saved(Image.new("RGB", (400, 8), (250, 0, 0)), kind, icc_profile=bytes(profile)))
        for name in ("image", "320"):
            image = opened((folder / name).read_bytes())
            pixel = image.convert("RGB").getpixel((4, 4))
            assert isinstance(pixel, tuple)
            assert pixel[2] > 200 > 60 > max(pixel[:2])
            described = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"])))
            assert "sRGB" in described


def test_an_invalid_profile_is_removed(folder: Path) -> None:
    convert(folder, saved(Image.new("RGB", (8, 8)), "PNG", icc_profile=b"no profile"))
    assert "icc_profile" not in converted(folder).info


def test_data_after_the_image_is_removed(folder: Path) -> None:
    for kind in ("PNG", "JPEG", "GIF"):
        assert "code" not in convert(folder, image_bytes(kind) + b"<?php system($_GET['c']); ?>")
        assert b"php" not in (folder / "image").read_bytes()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "image_type_unsupported"),
        (b"<html><script>alert(1)</script>", "image_type_unsupported"),
        (b"%PDF-1.7\n", "image_type_unsupported"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "image_type_unsupported"),
        (saved(Image.new("RGB", (9, 9)), "TIFF"), "image_type_unsupported"),
        (saved(Image.new("RGB", (9, 9)), "BMP"), "image_type_unsupported"),
        (b"x", "image_type_unsupported"),
        (image_bytes("JPEG", (200, 200))[:-200], "image_unreadable"),
        (image_bytes("PNG", (200, 200))[:-30], "image_unreadable"),
        (b"\xff\xd8\xff\xe0", "image_unreadable"),
        (b"GIF89a", "image_unreadable"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image_unreadable"),
        (png_of_size(50_000, 50_000), "image_too_large"),
        (png_of_size(6_325, 6_325), "image_too_large"),
        (animation(frames=201), "image_too_long"),
        (animation("WEBP", frames=201), "image_too_long"),
    ],
    ids=str,
)
def test_an_unacceptable_file_is_rejected(folder: Path, content: bytes, code: str) -> None:
    result = convert(folder, content)
    assert result["code"] == code
    assert result["message"].endswith(".")
    assert [file.name for file in folder.iterdir()] == ["upload"]


def test_the_pixels_of_all_frames_are_limited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imaging, "MAX_ANIMATION_PIXELS", 40 * 30 * 3 - 1)
    assert convert(folder, animation())["code"] == "image_too_large"


def run(folder: Path, content: bytes) -> subprocess.CompletedProcess[bytes]:
    (folder / "upload").write_bytes(content)
    return subprocess.run(
        [sys.executable, "-I", imaging.__file__, str(folder / "upload"), str(folder)],
        env={},
        capture_output=True,
        check=True,
    )


def test_the_program_prints_its_result_as_json(folder: Path) -> None:
    result = json.loads(run(folder, image_bytes("PNG", (320, 10))).stdout)
    assert result == {"content_type": "image/png", "width": 320, "height": 10, "variants": [[320, 10]]}


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is enforced only on Linux")
def test_memory_is_limited(folder: Path) -> None:
    """With a limit that is smaller than a decoded image of 40 megapixels."""
    program = (
        "import sys; from pathlib import Path; from posts.media import imaging; imaging.MEMORY_BYTES = 200 * 1024**2;"
    )
    program += "imaging._limit_resources(); print(imaging.main(Path(sys.argv[1]), Path(sys.argv[2]))['code'])"
    (folder / "upload").write_bytes(saved(Image.new("RGB", (7_000, 5_700)), "PNG"))
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "upload"), str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "image_too_costly"

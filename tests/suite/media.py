"""Things to boot that tell on the serial line that they run: an EFI program, a disk, an ISO image.

Made once from the sources here, with clang, lld, mtools, xorriso, busybox and cpio.
"""

import os
import shutil
import subprocess
import tempfile

from lab import CACHE

HERE = os.path.dirname(os.path.abspath(__file__))

# 16 bits, at 0x7c00: writes a text to the first serial port and ends QEMU (isa-debug-exit)
SECTOR = """
.code16
        xor     %ax, %ax
        mov     %ax, %ds
        mov     $0x7c00 + text, %si
        mov     $0x3f8, %dx
next:   lodsb
        test    %al, %al
        jz      end
        outb    %al, %dx
        jmp     next
end:    mov     $0xf4, %dx
        outb    %al, %dx
        hlt
        jmp     end
text:   .asciz  "\\r\\nMARKER: WHAT\\r\\n"
        .org    510
        .word   0xaa55
"""

EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]


def run(*argv, **options):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


def sector(folder, what):
    """A boot sector that prints "MARKER: `what`"."""
    path = f"{folder}/{what}.bin"
    run("as", "--32", "-o", f"{path}.o", "-", input=SECTOR.replace("WHAT", what).encode())
    run("objcopy", "-O", "binary", "-j", ".text", f"{path}.o", path)
    return path


def fat(path, program, marker, kilobytes):
    """A FAT file system with the program where UEFI looks for it, and a file of that name."""
    with open(f"{path}.txt", "w", encoding="utf-8") as f:
        f.write(marker)
    with open(path, "wb") as f:
        f.truncate(kilobytes * 1024)
    run("mformat", "-i", path, "-h", "2", "-s", "18", "-t", str(kilobytes // 18), "::")
    run("mmd", "-i", path, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", path, program, "::/EFI/BOOT/BOOTX64.EFI")
    run("mcopy", "-i", path, f"{path}.txt", f"::/{marker}")


LISTER = """#!/busybox sh
/busybox mount -t devtmpfs dev /dev
for f in /*; do
        [ ! -f "$f" ] || echo "LISTER: file ${f#/} $(/busybox wc -c <"$f")"
done >/dev/ttyS0
echo "LISTER: end" >/dev/ttyS0
/busybox poweroff -f
"""


def linux_lister(folder):
    """An initrd that tells what files there are beside it, and switches the machine off."""
    root = f"{folder}/initrd"
    os.makedirs(f"{root}/dev")
    shutil.copy(shutil.which("busybox"), f"{root}/busybox")
    with open(f"{root}/init", "w", encoding="utf-8") as f:
        f.write(LISTER)
    os.chmod(f"{root}/init", 0o755)
    run("bash", "-c", f"find . | cpio --quiet -o -H newc >{folder}/lister.img", cwd=root)


def efi_program(folder, source, name=None, target="x86_64", options=("-mno-red-zone", "-mno-stack-arg-probe")):
    name = name or source
    program = f"{folder}/{name}.efi"
    run("clang", f"--target={target}-unknown-windows", "-std=gnu11", "-Wall", "-Wextra", "-O1",
        "-ffreestanding", "-fshort-wchar", *options, "-c", "-o", f"{folder}/{name}.obj", f"{HERE}/{source}.c")
    run("lld-link", "/subsystem:efi_application", "/entry:efi_main", "/nodefaultlib",
        f"/out:{program}", f"{folder}/{name}.obj")
    return program


def make(folder):
    program = efi_program(folder, "lister")
    efi_program(folder, "dead")
    efi_program(folder, "lister", "lister-arm64", "aarch64", ())
    linux_lister(folder)
    fat(f"{folder}/uefi.img", program, "DISK.TXT", 1440)
    shutil.copy(sector(folder, "disk"), f"{folder}/bios.img")
    with open(f"{folder}/bios.img", "r+b") as f:
        f.truncate(1 << 20)
    tree = f"{folder}/tree"
    os.mkdir(tree)
    fat(f"{tree}/efi.img", program, "ISO.TXT", 1440)
    shutil.copy(sector(folder, "iso"), f"{tree}/bios.bin")
    with open(f"{tree}/bios.bin", "r+b") as f:
        f.truncate(2048)
    run("xorriso", "-as", "mkisofs", "-quiet", "-o", f"{folder}/disc.iso", "-b", "bios.bin",
        "-no-emul-boot", "-boot-load-size", "4", "-eltorito-alt-boot", "-e", "efi.img",
        "-no-emul-boot", tree)


def dead_loader():
    """A loader that says so and does nothing more."""
    return f"{media()}/dead.efi"


def media():
    """The folder with lister.efi, lister-arm64.efi, dead.efi, lister.img, uefi.img, bios.img and disc.iso."""
    folder = os.path.join(CACHE, "media")
    newest = max(os.path.getmtime(f) for f in (__file__, f"{HERE}/lister.c", f"{HERE}/dead.c"))
    if not os.path.exists(folder) or os.path.getmtime(folder) < newest:
        os.makedirs(CACHE, exist_ok=True)
        fresh = tempfile.mkdtemp(prefix="media.", dir=CACHE)
        os.chmod(fresh, 0o755)
        make(fresh)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            os.rename(fresh, folder)
        except OSError:  # another run was faster
            shutil.rmtree(fresh)
    return folder

"""A private network of namespaces, with Bootferry's daemons, neighbours and virtual PCs on it.

Everything that a Lab makes carries its own prefix and goes away with it, so that two runs do not
meet.  Nothing is sent outside: the namespaces have no way out.
"""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BOOTFERRY_BUILD", os.path.join(TOP, "build"))
BIN = os.path.join(BUILD, "bin")
CACHE = os.environ.get("BOOTFERRY_CACHE", os.path.join(TOP, "build"))

SERVER = "10.77.1.10"
DHCP = "10.77.1.2"
CLIENTS = "10.77.1.100,10.77.1.199"


class Failure(Exception):
    """A test's expectation that did not come true."""


def check(condition, what):
    if not condition:
        raise Failure(what)


def wait_until(condition, seconds, what, pause=0.05):
    """Waits for condition() to be true and returns its value; a Failure after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(pause)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


class Lab:
    """Namespaces, processes and a folder for their files."""

    count = 0

    def __init__(self, name):
        Lab.count += 1
        self.name = name
        self.prefix = f"bf{os.getpid()}x{Lab.count}"
        self.dir = tempfile.mkdtemp(prefix=f"bootferry-{name}-")
        os.chmod(self.dir, 0o755)
        self.namespaces = []
        self.cables = 0
        self.processes = []
        self.failed = False

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.failed = kind is not None
        self.close()

    def close(self):
        for p in reversed(self.processes):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in reversed(self.processes):
            try:
                p.wait(timeout=8)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        for ns in self.namespaces:
            subprocess.run(["ip", "netns", "del", ns], check=False)
        if not os.environ.get("BOOTFERRY_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    # --- namespaces -------------------------------------------------------------------------

    def namespace(self, name):
        ns = f"{self.prefix}-{name}"
        subprocess.run(["ip", "netns", "add", ns], check=True)
        self.namespaces.append(ns)
        self.sh(ns, "ip link set lo up")
        return ns

    def sh(self, ns, command, check_status=True):
        """Runs a shell command in a namespace (None: here) and returns what it printed."""
        argv = ["bash", "-c", command]
        if ns:
            argv = ["ip", "netns", "exec", ns] + argv
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace", check=False)
        if check_status and p.returncode != 0:
            raise Failure(f"{command}: status {p.returncode}: {p.stdout[-2000:]}")
        return p.stdout

    def spawn(self, ns, argv, log, env=None):
        """Starts a process in a namespace; its output goes to a file of that name."""
        if ns:
            argv = ["ip", "netns", "exec", ns] + argv
        with open(self.path(log), "ab") as f:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                                 cwd=self.dir, env=env)
        self.processes.append(p)
        return p

    def stop(self, process, signo=signal.SIGTERM, seconds=10):
        process.send_signal(signo)
        status = process.wait(timeout=seconds)
        self.processes.remove(process)
        return status

    def segment(self, name):
        """A namespace that is a switch: its bridge br0 joins what is plugged in."""
        ns = self.namespace(name)
        self.sh(ns, "ip link add br0 type bridge && ip link set br0 up")
        return ns

    def plug(self, host, segment, address=None, dev="eth0"):
        """Connects a host's namespace to a segment by a cable of its own."""
        self.cables += 1
        port = f"p{self.cables}{dev}"[:12]
        self.sh(None, f"ip link add {dev} netns {host} type veth peer name {port} netns {segment}")
        self.sh(segment, f"ip link set {port} master br0 up")
        self.sh(host, f"ip link set {dev} up" +
                (f" && ip addr add {address} dev {dev}" if address else ""))

    def host(self, name, segment, address):
        ns = self.namespace(name)
        self.plug(ns, segment, address)
        return ns

    def capture(self, segment, name="packets.pcap"):
        """Records all packets of a segment."""
        path = self.path(name)
        self.spawn(segment, ["tcpdump", "-i", "br0", "-w", path, "-U", "--immediate-mode", "-s", "1600",
                             "-Z", "root", "udp port 67 or udp port 68 or udp port 4011 or udp port 69 or "
                             "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0"], "tcpdump.log")
        wait_until(lambda: "listening on" in read(self.path("tcpdump.log")), 10, "tcpdump")
        return path

    def dhcp_server(self, segment, address=DHCP, clients=CLIENTS, extra=()):
        """An ordinary DHCP server that knows nothing of network boot."""
        ns = self.host("dhcp", segment, f"{address}/24")
        # without its ping of 3 s, which firmware's first window of 4 s would only just survive
        self.spawn(ns, ["dnsmasq", "-k", "--conf-file=/dev/null", "--port=0", "--log-dhcp", "--no-ping",
                        "--log-facility=-", "--user=root", f"--dhcp-range={clients},1h",
                        f"--dhcp-leasefile={self.path('leases')}",
                        f"--pid-file={self.path('dnsmasq.pid')}", *extra], "dnsmasq.log")
        wait_until(lambda: "DHCP, IP range" in read(self.path("dnsmasq.log")), 10, "dnsmasq")
        return ns

    # --- evidence ---------------------------------------------------------------------------

    def client(self, ns, function, module="clients", **arguments):
        """Runs a function of clients.py, or of another module, in a namespace."""
        out = self.sh(ns, f"python3 {TOP}/tests/suite/inside.py {module} {function} "
                          f"'{json.dumps(arguments)}'")
        return json.loads(out)

    def evidence(self):
        """What a person wants to see when something failed."""
        out = []
        for name in sorted(os.listdir(self.dir)):
            path = self.path(name)
            if name.endswith(".log"):
                out.append(f"--- {name}\n{read(path)[-6000:]}")
            elif name.endswith(".pcap"):
                p = subprocess.run(["tcpdump", "-nn", "-v", "-r", path], text=True, check=False,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                out.append(f"--- {name}\n{p.stdout[-12000:]}")
        return "\n".join(out)


def boot_sector(path):
    """A disk whose boot sector writes LOCAL DISK to the first serial port and halts."""
    # xor ax,ax; mov ds,ax; mov si,text; mov dx,0x3f8; 1: lodsb; test al,al; jz 2; out dx,al; jmp 1;
    # 2: hlt; jmp 2
    code = bytes.fromhex("31c08ed8be157cbaf803ac84c07403eeebf8f4ebfd") + b"LOCAL DISK\r\n\0"
    with open(path, "wb") as f:
        f.write(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    return ["-drive", f"if=none,id=d0,format=raw,file={path}", "-device",
            "virtio-blk-pci,drive=d0,bootindex=2"]


def efi_program(path, text):
    """An EFI program for ia32, for which Debian has no iPXE: it writes a text and stays there."""
    # mov eax,[esp+8]; mov eax,[eax+44] (ConOut); call 1; 1: pop edx; add edx,text-1; push edx; push eax;
    # call [eax+4] (OutputString); add esp,8; 2: jmp 2
    code = bytes.fromhex("8b4424088b402ce8000000005a83c20e5250ff500483c408ebfe")
    code += f"{text}\r\n\0".encode("utf-16-le")
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x014c, 1, 0, 0, 0, 0xe0, 0x0102)
    optional = struct.pack("<HBBIIIIII", 0x10b, 0, 0, 0x200, 0, 0, 0x1000, 0x1000, 0)
    optional += struct.pack("<IIIHHHHHHIIIIHHIIIIII", 0, 0x1000, 0x200, 0, 0, 0, 0, 0, 0, 0, 0x2000, 0x200, 0,
                            10, 0, 0, 0, 0, 0, 0, 16) + bytes(16 * 8)
    section = struct.pack("<8sIIIIIIHHI", b".text", len(code), 0x1000, 0x200, 0x200, 0, 0, 0, 0, 0x60000020)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write((b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + coff + optional + section).ljust(0x200, b"\0"))
        f.write(code.ljust(0x200, b"\0"))


class Site:
    """The four daemons with their files, in one namespace."""

    def __init__(self, lab, ns, address=SERVER, name="lab", http_port=8060, **options):
        self.lab = lab
        self.ns = ns
        self.address = address
        self.name = name
        self.run = lab.path(f"run-{name}")
        self.root = lab.path(f"content-{name}")
        os.makedirs(self.run, exist_ok=True)
        os.makedirs(self.root, exist_ok=True)
        self.socket = f"{self.run}/handlerd.sock"
        bus = f"ipc://{self.run}/handlerd.ipc"
        self.conf = {
            "handlerd": {
                "listen": [bus], "control": self.socket, "user": "0:0",
                "store": f"sqlite:{self.run}/store.db", "root": self.root,
                "script": {"timeout_ms": 2000},
            },
            "dhcpproxyd": {"interface": "eth0", "address": address, "self_test": False},
            "tftpd": {"root": self.root, "address": address},
            "httpsbootd": {"root": self.root, "address": address, "http_port": http_port,
                           "certificate": f"{self.run}/etc/tls/server.pem",
                           "key": f"{self.run}/etc/tls/server.key"},
        }
        for daemon in ("dhcpproxyd", "tftpd", "httpsbootd"):
            self.conf[daemon].update({"handler": [bus], "user": "0:0", "subnet": name,
                                      "control": f"{self.run}/{daemon}.sock"})
        for key, value in options.items():
            self.conf[key].update(value)
        self.daemons = {}
        self.env = {}  # more of the daemons' environment

    def ca(self, key="rsa"):
        self.ferryctl("ca", "init", "--dir", f"{self.run}/etc", "--name", "boot.example",
                      "--address", self.address, "--key", key)

    def ferryctl(self, *args, ok=True):
        argv = [f"{BIN}/ferryctl", "--socket", self.socket, "--root", self.root, *args]
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           check=False)
        if ok and p.returncode != 0:
            raise Failure(f"{' '.join(argv)}: {p.stderr}")
        return p.stdout if ok else p

    def query(self, *args):
        return json.loads(self.ferryctl("--json", *args))

    def log(self, daemon):
        return self.lab.path(f"{daemon}-{self.name}.log")

    def start(self, *daemons):
        for daemon in daemons or ("handlerd", "dhcpproxyd", "tftpd", "httpsbootd"):
            path = f"{self.run}/{daemon}.json"
            with open(path, "w", encoding="utf-8") as f:
                json.dump(self.conf[daemon], f)
            before = read(self.log(daemon)).count(": ready\n")
            argv = os.environ.get("BOOTFERRY_WRAP", "").split()
            p = self.lab.spawn(self.ns, argv + [f"{BIN}/{daemon}", "-f", "-c", path],
                               os.path.basename(self.log(daemon)), env={**os.environ, **self.env})
            self.daemons[daemon] = p
            wait_until(lambda d=daemon, n=before, q=p: read(self.log(d)).count(": ready\n") > n
                       or q.poll() is not None, 20, f"{daemon} ready")
            check(p.poll() is None, f"{daemon} did not start: {read(self.log(daemon))[-2000:]}")
        if "handlerd" in self.daemons and not daemons:
            wait_until(lambda: len([s for s in self.query("status")["services"] if s["alive"]]) == 3,
                       10, "announcements")

    def kill(self, daemon, signo=signal.SIGKILL):
        p = self.daemons.pop(daemon)
        # below `ip netns exec` and any wrapper it is the same process
        self.lab.stop(p, signo)

    def boots(self):
        return self.query("boots", "list")

    def boot(self):
        """The newest boot with its timeline."""
        boots = self.boots()
        return self.query("boots", "show", boots[0]["id"]) if boots else None

    def kinds(self):
        boot = self.boot()
        return [e["kind"] for e in boot["timeline"]] if boot else []

    def timeline(self):
        boots = self.boots()
        return "\n".join(self.ferryctl("boots", "show", b["id"]) for b in boots[:3])


class Machine:
    """
    A virtual PC or ARM board with real firmware, plugged into a segment.  `firmware`: "ovmf" (UEFI on
    x64), "ovmf32" (on ia32), "aavmf" (on arm64), "u-boot" (arm64), "bios".
    """

    # code, variables
    FLASH = {
        "ovmf": ("OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd"),
        "ovmf32": ("OVMF/OVMF32_CODE_4M.secboot.fd", "OVMF/OVMF32_VARS_4M.fd"),
        "aavmf": ("AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd"),
    }

    def __init__(self, lab, segment, firmware="ovmf", mac="52:54:00:12:34:56", name="pc", args=(),
                 card="virtio-net-pci", http_only=False, text=False, flash=None):
        self.lab = lab
        self.name = name
        self.console = lab.path(f"{name}-console.log")
        self.tap = f"tap{name}"[:12]
        lab.sh(segment, f"ip tuntap add {self.tap} mode tap && "
                        f"ip link set {self.tap} master br0 up")
        # without graphics SeaBIOS puts its text on the serial line
        machine = ["-machine", "q35,graphics=off" if text else "q35"]
        if firmware == "ovmf32":  # there is no build without the guard of its variables
            machine = ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]
        elif firmware in ("aavmf", "u-boot"):
            machine = ["-machine", "virt", "-cpu", "cortex-a57"]
        argv = [f"qemu-system-{'aarch64' if 'virt' in machine else 'x86_64'}", "-name", name, "-accel",
                "tcg", "-m", "768", *machine, "-display", "none", "-no-reboot", "-nodefaults",
                "-serial", f"file:{self.console}", "-monitor",
                f"unix:{lab.path(name + '.mon')},server,nowait",
                "-smbios", "type=1,manufacturer=Ferry,product=Test PC,serial=S 1,"
                           "uuid=00112233-4455-6677-8899-aabbccddeeff",
                "-netdev", f"tap,id=n0,ifname={self.tap},script=no,downscript=no",
                "-object", "rng-random,id=r0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=r0"]
        # no option ROM: edk2's own driver and PXE stack, not iPXE's
        rom = ",romfile="
        if firmware in self.FLASH:
            code, variables = (f"/usr/share/{x}" for x in self.FLASH[firmware])
            if flash:  # another build of it
                code, variables = (f"{flash}/{os.path.basename(x)}" for x in (code, variables))
            shutil.copy(variables, lab.path(f"{name}-vars.fd"))
            argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}",
                     "-drive", f"if=pflash,format=raw,file={lab.path(name + '-vars.fd')}"]
        elif firmware == "u-boot":
            argv += ["-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"]
        else:
            rom = ""
            # only a default ROM gets its ids patched to the card's, hence no romfile=
            argv += ["-L", old_roms()]
        argv += ["-device", f"{card},netdev=n0,mac={mac}{rom},bootindex=1", *args]
        self.process = lab.spawn(segment, argv, f"{name}-qemu.log")

    def output(self):
        return read(self.console)

    def press(self, key):
        """Presses a key of the keyboard, by QEMU's name for it."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.lab.path(f"{self.name}.mon"))
            s.sendall(f"sendkey {key}\n".encode())
            time.sleep(0.5)  # until the monitor has read it

    def wait_for(self, text, seconds):
        wait_until(lambda: text in self.output() or self.process.poll() is not None, seconds,
                   f"{self.name}: \"{text}\" on the console")
        check(text in self.output(), f"{self.name} ended without \"{text}\" on the console")

    def wait_end(self, seconds):
        wait_until(lambda: self.process.poll() is not None, seconds, f"{self.name} powered off")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def network(lab, **options):
    """The usual set-up without firmware: a segment with a server and a client."""
    segment = lab.segment("net")
    server = lab.host("server", segment, f"{SERVER}/24")
    client = lab.host("client", segment, "10.77.1.50/24")
    return segment, server, client, Site(lab, server, **options)


def payload():
    """A kernel and an initrd that report and power off."""
    folder = os.path.join(CACHE, "payload")
    subprocess.run([os.path.join(TOP, "deploy/payload"), folder], check=True)
    return f"{folder}/vmlinuz", f"{folder}/initrd.img"


def loaders(suite="trixie"):
    """A folder of loaders as `ferryctl loaders import` brings them, fetched once."""
    folder = os.path.join(CACHE, "loaders", suite)
    if not os.path.exists(f"{folder}/boot/loaders.json"):
        fresh = f"{folder}.{os.getpid()}"
        subprocess.run([f"{BIN}/ferryctl", "--socket", "/nonexistent", "--root", fresh, "loaders",
                        "import", "--suite", suite], check=True, stdout=sys.stderr)
        try:
            os.rename(fresh, folder)
        except OSError:  # another run was faster
            shutil.rmtree(fresh)
    return folder


def unpacked(suite, package, folder):
    """The files of a Debian release's package below the cache, fetched once."""
    top = os.path.join(CACHE, folder, suite)
    if os.path.exists(top):
        return top
    source = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)",
                             "Created-By: Packages"], stdout=subprocess.PIPE, text=True, check=True).stdout
    mirrors = [x.split()[1] for x in source.splitlines() if x.startswith("Debian ") and "security" not in x]
    with tempfile.TemporaryDirectory() as work:
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(f"{work}/{name}")
        with open(f"{work}/sources.list", "w", encoding="utf-8") as f:
            f.write("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
                    f"{mirrors[0] if mirrors else 'http://deb.debian.org/debian'} {suite} main\n")
        # lists of its own: nothing of the system's apt changes
        apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={work}/sources.list",
               "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={work}/lists",
               "-o", f"Dir::Cache={work}/cache", "-o", "APT::Sandbox::User=root",
               "-o", "Dir::State::status=/dev/null"]
        for command in (["update"], ["download", package]):
            subprocess.run(apt + command, cwd=work, stdout=sys.stderr, check=True)
        deb = [x for x in os.listdir(work) if x.endswith(".deb")][0]
        os.makedirs(os.path.dirname(top), exist_ok=True)
        fresh = f"{top}.{os.getpid()}"
        subprocess.run(["dpkg-deb", "-x", f"{work}/{deb}", fresh], check=True)
    try:
        os.rename(fresh, top)
    except OSError:  # another run was faster
        shutil.rmtree(fresh)
    return top


def old_roms():
    """The iPXE ROMs of 2019 that Debian 12 gives QEMU's network cards; later ones have HTTPS."""
    return os.path.join(unpacked("bookworm", "ipxe-qemu", "roms"), "usr/lib/ipxe/qemu")


def new_ovmf():
    """The folder of a UEFI firmware of after 2025-09, which knows elliptic curves and wants strong keys."""
    return os.path.join(unpacked("sid", "ovmf-generic", "ovmf"), "usr/share/OVMF")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

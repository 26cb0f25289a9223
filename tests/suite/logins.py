"""An origin that wants to know who asks: Apache with mod_auth_gssapi, for Kerberos, and MIT's KDC."""

import glob
import os

import peers
from lab import CACHE, check, read, wait_until

REALM = "CORP.EXAMPLE"
MODULES = "/usr/lib/apache2/modules"

KRB5_CONF = """[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 {realm} = {{
  kdc = {address}
 }}
[dbmodules]
 db_module_dir = {plugins}
 {realm} = {{
  db_library = db2
  database_name = {dir}/principal
 }}
"""

KDC_CONF = """[kdcdefaults]
 kdc_ports = 88
 kdc_tcp_ports = 88
[realms]
 {realm} = {{
  key_stash_file = {dir}/stash
  max_life = 1h
 }}
[logging]
 kdc = FILE:{dir}/kdc.log
"""

APACHE = """ServerRoot {dir}
ServerName origin
User www-data
Group www-data
PidFile {dir}/apache.pid
Mutex posixsem
ErrorLog {dir}/apache-error.log
LogLevel warn auth_gssapi:info
{modules}
Listen 8443
SSLEngine on
SSLCertificateFile {tls}/server.pem
SSLCertificateKeyFile {tls}/server.key
KeepAlive On
MaxKeepAliveRequests 0
LogFormat "%{{remote}}p %k %m %U %>s %B %u %{{Range}}i" one
CustomLog {dir}/apache-access.log one
Alias /krb/ {root}/
<Directory {root}>
  Require valid-user
  AuthType GSSAPI
  AuthName "origin"
</Directory>
<Location /krb/>
  GssapiAllowedMech krb5
  GssapiCredStore keytab:{dir}/http.keytab
  GssapiAcceptorName HTTP@{address}
  Require user branch@{realm}
</Location>
"""


def unpacked(package, path):
    found = glob.glob(f"{CACHE}/tools/{package}/{path}")
    check(found, f"{package} is not below {CACHE}/tools")
    return found[0]


class Realm:
    """A KDC at a server's address, with that server's key and those of clients."""

    def __init__(self, lab, ns, address, clients):
        self.dir = lab.path("realm")
        os.makedirs(self.dir)
        words = {"realm": REALM, "address": address, "dir": self.dir,
                 "plugins": os.path.dirname(unpacked("krb5-kdc", "usr/lib/*/krb5/plugins/kdb/db2.so"))}
        for name, text in (("krb5.conf", KRB5_CONF), ("kdc.conf", KDC_CONF)):
            with open(f"{self.dir}/{name}", "w", encoding="ascii") as f:
                f.write(text.format(**words))
        self.env = {"KRB5_CONFIG": f"{self.dir}/krb5.conf", "KRB5_KDC_PROFILE": f"{self.dir}/kdc.conf"}
        self.lab = lab
        self.run(unpacked("krb5-kdc", "usr/sbin/kdb5_util"), "create -s -P master")
        for who, keytab in ((f"HTTP/{address}", "http"), *((c, c) for c in clients)):
            self.admin(f"addprinc -randkey {who}")
            self.admin(f"ktadd -k {self.dir}/{keytab}.keytab {who}")
        os.chmod(f"{self.dir}/http.keytab", 0o644)
        lab.spawn(ns, [unpacked("krb5-kdc", "usr/sbin/krb5kdc"), "-n", "-P", f"{self.dir}/kdc.pid"], "kdc-out.log",
                  env={**os.environ, **self.env})
        wait_until(lambda: "commencing operation" in read(f"{self.dir}/kdc.log"), 10, "the KDC")

    def run(self, program, words):
        names = " ".join(f"{k}={v}" for k, v in self.env.items())
        return self.lab.sh(None, f"{names} {program} {words}")

    def admin(self, query):
        return self.run(unpacked("krb5-admin-server", "usr/sbin/kadmin.local"), f"-q '{query}'")

    def asked(self, words):
        """What the KDC says of it."""
        return [x for x in read(f"{self.dir}/kdc.log").splitlines() if words in x]


class Apache:
    """Below /krb/ the files of a folder for the principal `branch`, over TLS at port 8443."""

    def __init__(self, lab, ns, address, realm, root, tls):
        self.lab, self.ns, self.realm = lab, ns, realm
        self.log = f"{realm.dir}/apache-access.log"
        modules = "\n".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so" for m in (
            "mpm_event", "authn_core", "authz_core", "authz_user", "alias",
            "socache_shmcb", "ssl", "auth_gssapi"))
        with open(f"{realm.dir}/apache.conf", "w", encoding="utf-8") as f:
            f.write(APACHE.format(dir=realm.dir, modules=modules, tls=tls, root=root, address=address, realm=REALM))
        self.start()

    def start(self):
        self.process = self.lab.spawn(self.ns, [
            peers.tool("apache2"), "-DFOREGROUND", "-f", f"{self.realm.dir}/apache.conf"], "apache.log",
            env={**os.environ, **self.realm.env})
        wait_until(lambda: ":8443 " in self.lab.sh(self.ns, "ss -ltn"), 10, "Apache listens")

    def stop(self):
        """At once, in the middle of what it is sending."""
        self.lab.sh(self.ns, "kill -9 $(ss -Hltnp sport = :8443 | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u)")
        self.lab.processes.remove(self.process)
        self.process.wait(timeout=5)

    def requests(self, path):
        """Of a path: port of the client, which request of its connection, method, path, status, octets, user, Range."""
        return [x.split() for x in read(self.log).splitlines() if x.split()[3] == path]

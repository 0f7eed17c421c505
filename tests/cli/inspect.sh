#!/bin/sh
# The report: true figures, one screen, bills of materials that others can read.
. tests/cli/lib

mkdir -p tree/sub
printf 'hello\n' >tree/plain
head -c 9000 /dev/zero >tree/sub/zeros
ln -s plain tree/link
cp /bin/dash tree/sh
"$PITH" build -o a.img -a tree:/data /usr/bin/sort -r
"$PITH" build -o plain.img /usr/bin/sort -r
"$PITH" inspect --json a.img >a.json
"$PITH" inspect --json plain.img >plain.json
expect_ok text "$PITH" inspect plain.img
cp "$dir/out" text
check one-screen "more than 40 lines or wider than 120" awk 'length > 120 { exit 1 } END { exit NR > 40 || NR < 20 }' text
check text-container "the container's figures are not beside ours" sh -c 'grep -q "this image  *Linux container" text && grep -q "14,687,538" text'
expect_ok files "$PITH" inspect --files a.img
check files-listed "a file is missing" sh -c 'grep -q " 9000  /data/sub/zeros$" "$1/out" && grep -q "  6  /data/plain$" "$1/out"' sh "$dir"
expect sbom-kind 2 'spdx or cyclonedx' "$PITH" inspect --sbom xml a.img

# Figures against what other tools say of the same things.
cat >figures.py <<'END'
import json, os, subprocess, sys
a, plain = json.load(open("a.json")), json.load(open("plain.json"))
def claim(name, good, why):
    print(f"ok {name}" if good else f"not ok {name}: {why}")
r, p = a["root"], plain["root"]
have = {f["path"]: f["bytes"] for f in a["files"]}
claim("root-files", have.get("/data/plain") == 6 and have.get("/data/sub/zeros") == 9000 and r["files"] == len(have) == p["files"] + 3 and
      r["file_bytes"] == sum(have.values()), f"{have}")
claim("root-links", r["links"] == p["links"] + 1 and r["directories"] == p["directories"] + 2, f"{r}, {p}")
claim("root-shells", r["shells"] == ["/data/sh"] and p["shells"] == [], f"{r['shells']}, {p['shells']}")
claim("root-programs", p["executables"] == 1 and r["executables"] == 2 and p["libraries"] == r["libraries"] >= 2, f"{p}, {r}")
claim("no-shell-mitigation", "no-shell" in plain["mitigations"] and "no-shell" not in a["mitigations"], f"{a['mitigations']}")
claim("mitigations-known", set(a["mitigations"]) == set(a["mitigations_known"]) and all(a["mitigations_known"].values()), "a name without a reason")
sources = os.environ["SOURCES"]
named = {w.rstrip(",;") for how in plain["mitigations_known"].values() for w in how.split() if w.startswith("tests/")}
claim("mitigations-tests-exist", named and all(os.path.exists(f"{sources}/{n}") for n in named), f"{named}")
claim("verified", len(a["verified"]["root_hash"]) == 64 and a["verified"]["signed"] is False, f"{a['verified']}")
k = a["kernel"]
claim("kernel-figures", 0 < k["lines"] and 500 < k["functions"] and k["code_bytes"] <= k["executable_bytes"] < a["kernel_bytes"], f"{k}")
nm = subprocess.run(["nm", "-S", "--defined-only", os.path.join(os.path.dirname(os.environ["PITH_KERNEL"]), "pith.elf")], capture_output=True, text=True).stdout
sizes = [int(l.split()[1], 16) for l in nm.splitlines() if len(l.split()) == 4 and l.split()[2] in "tT"]
claim("kernel-functions-are-nm's", k["functions"] == len(sizes) and k["code_bytes"] == sum(sizes), f"{k}, nm: {len(sizes)} of {sum(sizes)} bytes")
claim("gadgets", 0 < k["gadgets"] < k["executable_bytes"] and 0 < p["gadgets"] < r["gadgets"] < r["code_bytes"], f"{k}, {p}, {r}")
claim("container-sources", len(a["container"]) >= 10 and all(len(f["source"]) > 20 and f["value"] > 0 for f in a["container"].values()), "a figure without its source")
if any(pk["name"] == "coreutils" for pk in plain["packages"]):
    c = next(pk for pk in plain["packages"] if pk["name"] == "coreutils")
    version = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "coreutils"], capture_output=True, text=True).stdout
    claim("package-version", c["version"] == version and "GPL-3+" in c["licences"], f"{c}")
END
SOURCES=$sources python3 figures.py

# Gadgets counted by hand: pop, ret; ret. (Before the pop stands a system call, which ends a gadget.)
cat >tiny.S <<'END'
	.globl _start
_start:	movl $60, %eax
	xorl %edi, %edi
	syscall
	popq %rax
	ret
	.section .note.GNU-stack, "", @progbits
END
if cc -nostdlib -static -Wl,-z,separate-code -o tiny tiny.S 2>err && "$PITH" build -o tiny.img ./tiny; then
    "$PITH" inspect --json tiny.img >tiny.json
    check gadgets-by-hand "$(tr -d ' \n' <tiny.json | grep -o '"root":{[^}]*}')" sh -c 'grep -q "\"gadgets\": 2," tiny.json && grep -q "\"code_bytes\": 11," tiny.json'
else
    not_ok gadgets-by-hand "cannot be built: $(head -n 1 err)"
fi

# What the specifications demand of the parts that are there (SPDX 2.3 and CycloneDX 1.5 JSON schemas).
"$PITH" inspect --sbom spdx a.img >spdx.json
"$PITH" inspect --sbom cyclonedx a.img >cyclonedx.json
cat >sbom.py <<'END'
import hashlib, json, os, re
def claim(name, good, why=""):
    print(f"ok {name}" if good else f"not ok {name}: {why}")
report = json.load(open("a.json"))
names = sorted(p["name"] for p in report["packages"]) + ["lwip", "pith-kernel"]
def members(o, required, allowed=()):
    return set(required) <= set(o) <= set(required) | set(allowed)
s = json.load(open("spdx.json"))
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
ID = re.compile(r"^SPDXRef-[A-Za-z0-9.-]+$")
claim("spdx-document", members(s, "spdxVersion dataLicense SPDXID name documentNamespace creationInfo packages relationships files".split(), ["hasExtractedLicensingInfos"])
      and s["spdxVersion"] == "SPDX-2.3" and s["dataLicense"] == "CC0-1.0" and s["SPDXID"] == "SPDXRef-DOCUMENT" and
      re.match(r"^https?://[^#\s]+$", s["documentNamespace"]), f"{list(s)}")
claim("spdx-creation", members(s["creationInfo"], ["created", "creators"]) and TIME.match(s["creationInfo"]["created"]) and
      all(re.match(r"^(Tool|Person|Organization): .+", c) for c in s["creationInfo"]["creators"]), f"{s['creationInfo']}")
refs = {x["licenseId"] for x in s.get("hasExtractedLicensingInfos", [])}
claim("spdx-extracted", all(re.match(r"^LicenseRef-[A-Za-z0-9.-]+$", x["licenseId"]) and x["extractedText"] for x in s.get("hasExtractedLicensingInfos", [])))
def package_good(p):
    expression = p["licenseDeclared"].split(" AND ") if p["licenseDeclared"] != "NOASSERTION" else []
    return (members(p, "SPDXID name downloadLocation filesAnalyzed licenseConcluded licenseDeclared copyrightText".split(), "versionInfo externalRefs checksums".split())
            and ID.match(p["SPDXID"]) and p["filesAnalyzed"] is False and
            all((e in refs if e.startswith("LicenseRef-") else re.match(r"^[A-Za-z0-9.+-]+$", e)) for e in expression) and
            all(members(r, ["referenceCategory", "referenceType", "referenceLocator"]) and r["referenceCategory"] == "PACKAGE-MANAGER" and r["referenceType"] == "purl"
                and re.match(r"^pkg:(deb|generic)/[^\s]+@[^\s]+$", r["referenceLocator"]) for r in p.get("externalRefs", [])) and
            all(c["algorithm"] == "SHA256" and re.match("^[0-9a-f]{64}$", c["checksumValue"]) for c in p.get("checksums", [])))
bad = [p for p in s["packages"] if not package_good(p)]
claim("spdx-packages", not bad and sorted(p["name"] for p in s["packages"] if p["SPDXID"] != "SPDXRef-Image") == sorted(names), f"{bad[:1]}")
# What no package brought: tree/ and what the command made; with the digests of what lies in the root.
own = {f["fileName"][1:]: {c["algorithm"]: c["checksumValue"] for c in f["checksums"]} for f in s["files"]}
added = ["/data" + os.path.join(d, n)[4:] for d, _, names_ in os.walk("tree") for n in names_ if not os.path.islink(os.path.join(d, n))]
claim("spdx-files", added and set(added) < set(own) and "/etc/passwd" in own and not any("libc.so" in n or n.endswith("/sort") for n in own) and
      all(own[n]["SHA256"] == hashlib.sha256(open("tree" + n[5:], "rb").read()).hexdigest() and
          own[n]["SHA1"] == hashlib.sha1(open("tree" + n[5:], "rb").read()).hexdigest() for n in added), f"{sorted(own)}, {added}")
claim("spdx-files-complete", all(members(f, "SPDXID fileName checksums licenseConcluded licenseInfoInFiles copyrightText".split()) and ID.match(f["SPDXID"])
      for f in s["files"]))
ids = [p["SPDXID"] for p in s["packages"] + s["files"]] + ["SPDXRef-DOCUMENT"]
claim("spdx-ids-once", len(ids) == len(set(ids)), f"{ids}")
rel = s["relationships"]
claim("spdx-relationships", all(members(r, ["spdxElementId", "relationshipType", "relatedSpdxElement"]) and r["spdxElementId"] in ids and
      r["relatedSpdxElement"] in ids and r["relationshipType"] in ("DESCRIBES", "CONTAINS") for r in rel) and
      sum(r["relationshipType"] == "DESCRIBES" for r in rel) == 1 + len(own) and len(rel) == len(ids) - 1, f"{rel[:2]}")
claim("spdx-licences", any("GPL-3.0-or-later" in p["licenseDeclared"] for p in s["packages"]) and
      any(p["name"] == "lwip" and p["licenseDeclared"] == "BSD-3-Clause" for p in s["packages"]))
c = json.load(open("cyclonedx.json"))
claim("cyclonedx-document", members(c, ["bomFormat", "specVersion", "version", "serialNumber", "metadata", "components"]) and c["bomFormat"] == "CycloneDX" and
      c["specVersion"] == "1.5" and c["version"] == 1 and
      re.match(r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", c["serialNumber"]), f"{c['serialNumber']}")
m = c["metadata"]
claim("cyclonedx-metadata", members(m, ["timestamp", "tools", "component"]) and TIME.match(m["timestamp"]) and
      all(t["type"] == "application" and t["name"] for t in m["tools"]["components"]) and m["component"]["type"] == "application" and
      all(h["alg"] == "SHA-256" and re.match("^[0-9a-f]{64}$", h["content"]) for h in m["component"]["hashes"]), f"{m}")
def component_good(x):
    return (members(x, ["type", "name", "version", "purl", "bom-ref"], ["licenses"]) and x["type"] == "library" and
            all(members(l, ["license"]) and (members(l["license"], ["id"]) or members(l["license"], ["name"])) for l in x.get("licenses", [{"license": {"id": ""}}])))
bad = [x for x in c["components"] if x["type"] != "file" and not component_good(x)]
claim("cyclonedx-files", {x["name"]: x["hashes"][0]["content"] for x in c["components"] if x["type"] == "file" and x["hashes"][0]["alg"] == "SHA-256"} ==
      {n: d["SHA256"] for n, d in own.items()})
refs = [x["bom-ref"] for x in c["components"]]
claim("cyclonedx-components", not bad and sorted(x["name"] for x in c["components"] if x["type"] != "file") == sorted(names) and len(refs) == len(set(refs)), f"{bad[:1]}")
END
python3 sbom.py
"$PITH" inspect --sbom spdx a.img >again.json
check sbom-same-bytes "two bills of one image differ" cmp spdx.json again.json

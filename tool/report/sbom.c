/*
 * sbom.c - bills of materials (sbom.h).
 *
 * SPDX: https://spdx.github.io/spdx-spec/v2.3/, CycloneDX: https://cyclonedx.org/docs/1.5/json/, package URLs:
 * https://github.com/package-url/purl-spec (type deb). A package's licence is all that its copyright file names, joined by AND: it
 * says what one has to look at, not which files it holds for.
 */
#include "report/sbom.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/licences.h"
#include "util/str.h"

#define TIME "1970-01-01T00:00:00Z"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Letters, digits, '.' and '-' stay: what SPDX identifiers may hold. */
static char *identifier(const char *prefix, const char *name, const char *more)
{
	char *id = xasprintf("%s%s%s%s", prefix, name, *more ? "-" : "", more);

	for (char *p = id + strlen(prefix); *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-')
			*p = '-';
	}
	return id;
}

/* Percent-encoding for what stands in a package URL. */
static void purl_add(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr(".-_~", *text))
			buf_append(b, text, 1);
		else
			buf_printf(b, "%%%02X", (unsigned char)*text);
	}
}

static char *purl_of(const json_t *report, const json_t *package)
{
	const char *distribution = text_of(json_object_get(report, "distribution"), "id");
	struct buf b = { 0 };

	if (!strcmp(text_of(package, "architecture"), "source")) {
		buf_puts(&b, "pkg:generic/");
	} else {
		buf_puts(&b, "pkg:deb/");
		purl_add(&b, *distribution ? distribution : "debian");
		buf_puts(&b, "/");
	}
	purl_add(&b, text_of(package, "name"));
	buf_puts(&b, "@");
	purl_add(&b, text_of(package, "version"));
	if (strcmp(text_of(package, "architecture"), "source")) {
		buf_puts(&b, "?arch=");
		purl_add(&b, text_of(package, "architecture"));
	}
	return b.data;
}

/* ---- SPDX ---- */

/* SPDX's name of a licence, or a LicenseRef that is explained at the document's end. */
static char *licence_id(const char *name, json_t *extracted)
{
	const char *known = licence_spdx(name);
	char *id;
	size_t i;
	json_t *e;

	if (known)
		return xstrdup(known);
	id = identifier("LicenseRef-", name, "");
	json_array_foreach(extracted, i, e) {
		if (!strcmp(text_of(e, "licenseId"), id))
			return id;
	}
	json_array_append_new(extracted, json_pack("{s:s, s:s, s:s}", "licenseId", id, "name", name, "extractedText",
						    "The text stands in the package's /usr/share/doc/PACKAGE/copyright."));
	return id;
}

static char *licence_expression(const json_t *package, json_t *extracted)
{
	struct strv ids = { 0 };
	struct buf b = { 0 };
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(package, "licences"), i, name) {
		char *id = licence_id(json_string_value(name), extracted);

		if (!strv_has(&ids, id))
			strv_add(&ids, id);
		free(id);
	}
	for (i = 0; i < ids.count; i++)
		buf_printf(&b, "%s%s", i ? " AND " : "", ids.items[i]);
	strv_free(&ids);
	if (!b.data)
		buf_puts(&b, "NOASSERTION");
	return b.data;
}

static void relation_add(json_t *document, const char *from, const char *what, const char *to)
{
	json_array_append_new(json_object_get(document, "relationships"),
			      json_pack("{s:s, s:s, s:s}", "spdxElementId", from, "relationshipType", what, "relatedSpdxElement", to));
}

static void spdx_package_add(json_t *document, const json_t *report, const json_t *package)
{
	char *id = identifier("SPDXRef-Package-", text_of(package, "name"), text_of(package, "architecture"));
	char *licences = licence_expression(package, json_object_get(document, "hasExtractedLicensingInfos")), *purl = purl_of(report, package);

	json_array_append_new(json_object_get(document, "packages"),
		json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "SPDXID", id, "name", text_of(package, "name"), "versionInfo",
			  text_of(package, "version"), "downloadLocation", "NOASSERTION", "filesAnalyzed", 0, "licenseConcluded", "NOASSERTION",
			  "licenseDeclared", licences, "copyrightText", "NOASSERTION", "externalRefs", "referenceCategory", "PACKAGE-MANAGER",
			  "referenceType", "purl", "referenceLocator", purl));
	relation_add(document, "SPDXRef-Image", "CONTAINS", id);
	free(id);
	free(licences);
	free(purl);
}

/* A file that no package brought. */
static void spdx_file_add(json_t *document, const json_t *file, size_t number)
{
	char *id = xasprintf("SPDXRef-File-%zu", number), *name = xasprintf(".%s", text_of(file, "path"));
	json_t *files = json_object_get(document, "files");

	if (!files)
		json_object_set_new(document, "files", files = json_array());
	json_array_append_new(files, json_pack("{s:s, s:s, s:[{s:s, s:s}, {s:s, s:s}], s:s, s:[s], s:s}", "SPDXID", id, "fileName", name, "checksums",
		"algorithm", "SHA1", "checksumValue", text_of(file, "sha1"), "algorithm", "SHA256", "checksumValue", text_of(file, "sha256"),
		"licenseConcluded", "NOASSERTION", "licenseInfoInFiles", "NOASSERTION", "copyrightText", "NOASSERTION"));
	relation_add(document, "SPDXRef-DOCUMENT", "DESCRIBES", id);
	free(id);
	free(name);
}

json_t *sbom_spdx(const json_t *report)
{
	const char *digest = text_of(report, "digest") + strlen("sha256:");
	char *space = xasprintf("https://pith.invalid/spdx/%s", digest), *tool = xasprintf("Tool: pith-%s", PITH_VERSION);
	json_t *document, *package;
	size_t i;

	document = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:[s]}, s:[{s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:[{s:s, s:s}]}], s:[], s:[]}",
		"spdxVersion", "SPDX-2.3", "dataLicense", "CC0-1.0", "SPDXID", "SPDXRef-DOCUMENT", "name", text_of(report, "program"), "documentNamespace",
		space, "creationInfo", "created", TIME, "creators", tool, "packages", "SPDXID", "SPDXRef-Image", "name", text_of(report, "program"),
		"downloadLocation", "NOASSERTION", "filesAnalyzed", 0, "licenseConcluded", "NOASSERTION", "licenseDeclared", "NOASSERTION",
		"copyrightText", "NOASSERTION", "checksums", "algorithm", "SHA256", "checksumValue", digest, "hasExtractedLicensingInfos",
		"relationships");
	relation_add(document, "SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image");
	json_array_foreach(json_object_get(report, "kernel_packages"), i, package)
		spdx_package_add(document, report, package);
	json_array_foreach(json_object_get(report, "packages"), i, package)
		spdx_package_add(document, report, package);
	json_array_foreach(json_object_get(report, "files"), i, package) {
		if (json_object_get(package, "sha256"))
			spdx_file_add(document, package, i);
	}
	free(space);
	free(tool);
	return document;
}

/* ---- CycloneDX ---- */

static json_t *cyclonedx_licences(const json_t *package)
{
	json_t *list = json_array(), *name;
	size_t i;

	json_array_foreach(json_object_get(package, "licences"), i, name) {
		const char *id = licence_spdx(json_string_value(name));

		json_array_append_new(list, json_pack("{s:{s:s}}", "license", id ? "id" : "name", id ? id : json_string_value(name)));
	}
	return list;
}

static void cyclonedx_component_add(json_t *components, const json_t *report, const json_t *package)
{
	char *purl = purl_of(report, package);
	json_t *licences = cyclonedx_licences(package), *component;

	component = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "library", "bom-ref", purl, "name", text_of(package, "name"), "version",
			      text_of(package, "version"), "purl", purl);
	if (json_array_size(licences))
		json_object_set(component, "licenses", licences);
	json_array_append_new(components, component);
	json_decref(licences);
	free(purl);
}

json_t *sbom_cyclonedx(const json_t *report)
{
	const char *digest = text_of(report, "digest") + strlen("sha256:");
	/* A version 8 UUID of the digest. */
	char *serial = xasprintf("urn:uuid:%.8s-%.4s-8%.3s-8%.3s-%.12s", digest, digest + 8, digest + 13, digest + 17, digest + 20);
	json_t *document, *components, *package;
	size_t i;

	document = json_pack("{s:s, s:s, s:s, s:i, s:{s:s, s:{s:[{s:s, s:s, s:s}]}, s:{s:s, s:s, s:s, s:[{s:s, s:s}]}}, s:[]}", "bomFormat", "CycloneDX",
		"specVersion", "1.5", "serialNumber", serial, "version", 1, "metadata", "timestamp", TIME, "tools", "components", "type", "application",
		"name", "pith", "version", PITH_VERSION, "component", "type", "application", "bom-ref", "image", "name", text_of(report, "program"),
		"hashes", "alg", "SHA-256", "content", digest, "components");
	components = json_object_get(document, "components");
	json_array_foreach(json_object_get(report, "kernel_packages"), i, package)
		cyclonedx_component_add(components, report, package);
	json_array_foreach(json_object_get(report, "packages"), i, package)
		cyclonedx_component_add(components, report, package);
	json_array_foreach(json_object_get(report, "files"), i, package) {
		char *ref = xasprintf("file:%s", text_of(package, "path"));

		if (json_object_get(package, "sha256"))
			json_array_append_new(components, json_pack("{s:s, s:s, s:s, s:[{s:s, s:s}]}", "type", "file", "bom-ref", ref, "name",
				text_of(package, "path"), "hashes", "alg", "SHA-256", "content", text_of(package, "sha256")));
		free(ref);
	}
	free(serial);
	return document;
}

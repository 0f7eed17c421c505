/*
 * sbom.h - the bill of materials of an image, from its meta partition: SPDX 2.3 and CycloneDX 1.5, both as JSON.
 *
 * Nothing in them depends on when or where they are written: the time is that of the image's files (the beginning of 1970), the
 * serial number comes from the image's digest.
 */
#ifndef TOOL_REPORT_SBOM_H
#define TOOL_REPORT_SBOM_H

#include <jansson.h>

/* report: what `pith inspect --json` prints. */
json_t *sbom_spdx(const json_t *report);
json_t *sbom_cyclonedx(const json_t *report);

#endif

/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/report-find.h"

/*
 * A file that is said to have an aggregate report in it, by whoever sends
 * mail there: messages, ZIP, gzip, XML.
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("<feedback><report_metadata><org_name>o</org_name><report_id"
	      ">i</report_id><date_range><begin>1</begin><end>2</end></dat"
	      "e_range></report_metadata><policy_published><domain>d.test<"
	      "/domain><p>none</p></policy_published><record><row><source_"
	      "ip>192.0.2.1</source_ip><count>2</count><policy_evaluated><"
	      "dkim>pass</dkim><reason><type>other</type></reason></policy"
	      "_evaluated></row><identifiers><header_from>d.test</header_f"
	      "rom></identifiers><auth_results><dkim><domain>d</domain><se"
	      "lector>s</selector><result>pass</result></dkim><spf><domain"
	      ">e</domain></spf></auth_results></record></feedback>"),
    FUZZ_SEED("\037\213\010\000\000\000\000\000\002\003e\222\335\216\204 \014"
	      "\205\337\310\356x\267I\303\253\020\224\252d\224\222\202\273"
	      "\231\267\037\360\007g\342\025\247\265=\375\332\210\003\221\355"
	      "L\377T(\024X\222^(\031k\222Q\3102jo\026R\214P\365Y\346\254r"
	      "\010W\200\271\207\264\030\?\346\232\216F\347\325\003a\027H\336"
	      "\252\026\241<\010\237\205p\033\032xv\375K\207\265\233]\234\250"
	      "\030\363b\262\211m\022\305\224\333\367\020\203\362\354\011!"
	      "d\227{\223P\317R^\376W\030y\225\236\264\013\352\361\3336\?M"
	      "\333d\264+\211=\257>\025\300]\234\014\364g\3465\303\026\206"
	      "\247[T01\346\371Ef\177\0239S\244W\310\367I\023\011\302\246\313"
	      "J\373'\270\333\300\206\343,\371\344\006G\022\025Nd,\211\036"
	      "\204\227\272\342g\016\341\253\334\254i\322Bq\235S<\260\352\201"
	      "\256\333D\232\251O,*\363V\215{\333\261\306\021\234\373\3040"
	      "T#\272\214`\313\303\367T8\217\013\365\347y\003>=i\356G\002\000"
	      "\000"),
    FUZZ_SEED("PK\003\004\024\000\000\000\010\000\000\000!\\>=i\356\010\001"
	      "\000\000G\002\000\000\005\000\000\000r.xmle\222\335\216\204"
	      " \014\205\337\310\356x\267I\303\253\020\224\252d\224\222\202"
	      "\273\231\267\037\360\007g\342\025\247\265=\375\332\210\003\221"
	      "\355L\377T(\024X\222^(\031k\222Q\3102jo\026R\214P\365Y\346\254"
	      "r\010W\200\271\207\264\030\?\346\232\216F\347\325\003a\027H"
	      "\336\252\026\241<\010\237\205p\033\032xv\375K\207\265\233]\234"
	      "\250\030\363b\262\211m\022\305\224\333\367\020\203\362\354\011"
	      "!d\227{\223P\317R^\376W\030y\225\236\264\013\352\361\3336\?"
	      "M\333d\264+\211=\257>\025\300]\234\014\364g\3465\303\026\206"
	      "\247[T01\346\371Ef\177\0239S\244W\310\367I\023\011\302\246\313"
	      "J\373'\270\333\300\206\343,\371\344\006G\022\025Nd,\211\036"
	      "\204\227\272\342g\016\341\253\334\254i\322Bq\235S<\260\352\201"
	      "\256\333D\232\251O,*\363V\215{\333\261\306\021\234\373\3040"
	      "T#\272\214`\313\303\367T8\217\013\365\347y\003PK\001\002\024"
	      "\003\024\000\000\000\010\000\000\000!\\>=i\356\010\001\000\000"
	      "G\002\000\000\005\000\000\000\000\000\000\000\000\000\000\000"
	      "\200\001\000\000\000\000r.xmlPK\005\006\000\000\000\000\001"
	      "\000\001\0003\000\000\000+\001\000\000\000\000"),
    FUZZ_SEED("PK\003\004\024\000\000\000\000\000\000\000!\\\204\267\n;\013"
	      "\000\000\000\013\000\000\000\005\000\000\000r.xml<feedback/"
	      ">PK\001\002\024\003\024\000\000\000\000\000\000\000!\\\204\267"
	      "\n;\013\000\000\000\013\000\000\000\005\000\000\000\000\000"
	      "\000\000\000\000\000\000\200\001\000\000\000\000r.xmlPK\005"
	      "\006\000\000\000\000\001\000\001\0003\000\000\000.\000\000\000"
	      "\000\000"),
    FUZZ_SEED("Content-Type: multipart/mixed; boundary=\"b 1\"\n"
	      "\n"
	      "--b 1\n"
	      "Content-Type: message/rfc822\n"
	      "\n"
	      "Content-Type: multipart/x; boundary=b\n"
	      "\n"
	      "--b\n"
	      "Content-Transfer-Encoding: base64\n"
	      "\n"
	      "H4sIAAAAAAACA2WS3Y6EIAyF38jueLdJw6sQlKpklJKCu5m3H/AHZ+IVp7U"
	      "9/dqIA5HtTP9UKBRY\n"
	      "kl4oGWuSUcgyam8WUoxQ9VnmrHIIV4C5h7QYP+aajkbn1QNhF0jeqhahPAi"
	      "fhXAbGnh2/UuHtZtd\n"
	      "nKgY82KyiW0SxZTb9xCD8uwJIWSXe5NQz1Je/lcYeZWetAvq8ds2P03bZLQ"
	      "riT2vPhXAXZwM9Gfm\n"
	      "NcMWhqdbVDAx5vlFZn8TOVOkV8j3SRMJwqbLSvsnuNvAhuMs+eQGRxIVTmQ"
	      "siR6El7riZw7hq9ys\n"
	      "adJCcZ1TPLDqga7bRJqpTywq81aNe9uxxhGc+8QwVCO6jGDLw/dUOI8L9ed"
	      "5Az49ae5HAgAA\n"
	      "--b--\n"
	      "--b 1\n"
	      "Content-Transfer-Encoding: quoted-printable\n"
	      "\n"
	      "<feedback x=3D\"=\n"
	      "y\"/>\n"
	      "--b 1--\n"),
    FUZZ_SEED("<\?xml version=\"1.0\"\?><!DOCTYPE feedback [<!ENTITY a \"b"
	      "\">]><feedback>&a;</feedback>"),
    FUZZ_SEEDS_END,
};

/* What is shown of it is text, and where it says. */
static void
check_text(const struct feedback *f, feedback_text at)
{
	const char *text = feedback_text_of(f, at);

	REQUIRE(at == 0 || at < f->texts.len);
	REQUIRE(strlen(text) <= FEEDBACK_TEXT_MAX);
}

static void
check_report(const struct feedback *f, void *context)
{
	size_t results = 0;

	++*(unsigned *)context;
	REQUIRE(f->domain != 0 && f->nrecords > 0);
	REQUIRE(f->nrecords <= FEEDBACK_RECORDS_MAX);
	REQUIRE(f->begin >= 0 && f->end >= 0);
	check_text(f, f->organization);
	check_text(f, f->id);
	check_text(f, f->p);
	for (size_t i = 0; i < f->nrecords; i++) {
		const struct feedback_record *r = &f->records[i];

		REQUIRE(r->client != 0 && r->first == results);
		check_text(f, r->client);
		check_text(f, r->from);
		results += r->nresults;
	}
	REQUIRE(results == f->nresults && results <= FEEDBACK_RESULTS_MAX);
	for (size_t i = 0; i < f->nresults; i++) {
		check_text(f, f->results[i].domain);
		check_text(f, f->results[i].selector);
		check_text(f, f->results[i].result);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	unsigned reports = 0;
	struct find find = {.report = check_report, .context = &reports};

	find_reports(&find, (const char *)octets, n);
	REQUIRE(find.reports == reports);
	REQUIRE(strlen(find.reason) < sizeof(find.reason));
	return 0;
}

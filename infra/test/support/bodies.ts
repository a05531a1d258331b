function click(userId: string): string {
  return JSON.stringify({ userId, mysfitId: 'b41ff031-141e-4a8d-bb56-158a22bea0b3' })
}

/** Possible bodies of visitors, by their difficulty. */
export const BODIES: Record<string, string> = {
  'a click': click('guest'),
  'an empty user': click(''),
  'white space': ' {\r\n\t"userId" : "guest",\n "mysfitId":"a" } \n',
  quotes: click('"quoted" and \'apostrophes\''),
  backslashes: click('C:\\new\\table\\u0041 \\\\ \\"'),
  'escapes in the body': '{"userId":"\\u0022\\u005c\\u0027\\n\\t\\b\\f\\r\\/\\u00e9","mysfitId":"a"}',
  'line ends': click('one\ntwo\r\nthree\u2028four\u2029five\u0085'),
  'control characters': click('\u0000\u0001\u001f\u007f'),
  accents: click('Zoë Ångström ñ ß'),
  'other scripts': click('ドラゴン 키메라 Дракон χίμαιρα'),
  astral: click('🐉👨‍👩‍👧‍👦𝔇'),
  'astral, escaped': '{"userId":"\\ud83d\\udc09","mysfitId":"a"}',
  'right to left': click('\u202eתנין\u202c تنين \u200f'),
  'JSON in a string': click(JSON.stringify({ userId: 'inner', nested: [1, { a: '"' }] })),
  'no click': '{"a":[1,2.5,true,null,{"b":{}}],"c":"d"}',
  'an array': '[1,"two"]',
  'VTL: set': click('#set($x=1)$x'),
  'VTL: if': click('#if(true)yes#end #foreach($i in [1..9])$i#end #stop'),
  'VTL: a method': click('$util.base64Encode("a") ${util.base64Encode("a")} $!util'),
  'VTL: variables': click("$context.identity.sourceIp $input.json('$') ${context.requestId}"),
  'VTL: an override': click('#set($context.responseOverride.status=200)'),
  'VTL: comments': click('## the rest is gone #* and this *# #[[ raw ]]# *# ]]#'),
  'VTL: a macro': click('#macro(m)x#end #m() #parse("x") #include("x") #evaluate("$util")'),
  'VTL: escapes': click('\\$util \\#set \\\\$x $ # $$ ## #'),
  'VTL: in the key': '{"$util.base64Encode(1)":"#set($x=1)","##":"$x"}',
  'another stream': click('","DeliveryStreamName":"other'),
  'the end of the record': click('"}}, "DeliveryStreamName": "other", "Record": {"Data": "eA=='),
  'fields of the request': '{"DeliveryStreamName":"other","Record":{"Data":"eA=="}}',
  'the placeholder': click('%stream% %listed%'),
  'replacement patterns': click("$& $1 $` $' $$"),
  HTML: click('</script><script>alert(1)</script><!--'),
  'a prototype': '{"__proto__":{"polluted":true},"constructor":1,"userId":"a"}',
  'a key twice': '{"userId":"first","mysfitId":"a","userId":"last"}',
  'large numbers': '{"n":1e21,"m":-0.1,"k":9007199254740991}',
  '8 KiB': filled(8192),
}

/** A click of `bytes`, with characters that need escapes or four bytes. */
function filled(bytes: number): string {
  const most = click('"🐉\\\'$'.repeat(800))
  return most + ' '.repeat(bytes - Buffer.byteLength(most))
}

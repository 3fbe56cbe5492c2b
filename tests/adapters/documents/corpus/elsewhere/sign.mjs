// Signs by @signpdf. Run once, in this folder, by `generate.py`:
// npm i @signpdf/signpdf@3 @signpdf/signer-p12@3 @signpdf/placeholder-plain@3 @signpdf/placeholder-pdf-lib@3 pdf-lib
// node sign.mjs SIGNER.p12 FOLDER
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {createRequire} from 'node:module';

const require = createRequire(join(process.cwd(), 'package.json'));
const {SignPdf} = require('@signpdf/signpdf');
const {P12Signer} = require('@signpdf/signer-p12');
const {plainAddPlaceholder} = require('@signpdf/placeholder-plain');
const {pdflibAddPlaceholder} = require('@signpdf/placeholder-pdf-lib');
const {PDFDocument} = require('pdf-lib');

const [p12, folder] = process.argv.slice(2);
const about = {reason: 'Agreed', contactInfo: 'nobody@example.com', name: 'Signer', location: 'Here',
  signingTime: new Date('2026-03-01T10:00:00Z'), signatureLength: 3000};
const sign = (pdf) => new SignPdf().sign(pdf, new P12Signer(readFileSync(p12), {passphrase: 'corpus'}), about.signingTime);
const read = (name) => readFileSync(join(folder, name));
const write = (name, bytes) => writeFileSync(join(folder, name), bytes);
const plain = (pdf, more = {}) => sign(plainAddPlaceholder({pdfBuffer: pdf, ...about, ...more}));

async function byPdfLib(pdf, useObjectStreams) {
  const opened = await PDFDocument.load(pdf);
  pdflibAddPlaceholder({pdfDoc: opened, ...about});
  return sign(Buffer.from(await opened.save({useObjectStreams})));
}

const form = read('form.pdf');
write('signpdf-once.pdf', await plain(form));
write('signpdf-twice.pdf', await plain(await plain(form)));
write('signpdf-pades.pdf', await plain(form, {subFilter: 'ETSI.CAdES.detached'}));
write('signpdf-visible.pdf', await plain(form, {widgetRect: [300, 40, 500, 80]}));
write('signpdf-letter.pdf', await plain(read('letter.pdf')));
write('signpdf-pdf-lib.pdf', await byPdfLib(form, false));
write('signpdf-pdf-lib-packed.pdf', await byPdfLib(form, true));

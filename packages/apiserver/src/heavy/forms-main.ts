/** The thread that makes forms of heavy values: what a view shows of them. */
import { parentPort } from 'node:worker_threads';
import { builtinResources, builtinSchemas, type CustomResourceDefinition } from '@skiff/api';
import type { ResourceDefinition } from '@skiff/apimachinery';
import { customDefinitions } from '../custom-resources/definitions.ts';
import type { ResourceCodec } from '../registry/resource-codec.ts';
import { codecOf, idOf } from '../registry/served-codecs.ts';
import type { FormAnswer, FormQuestion } from './messages.ts';

const port = parentPort;
if (port === null) throw new Error('this runs as a thread of the apiserver');

/** By definition, and what it was made from. */
const codecs = new Map<string, { custom: string | undefined; codec: ResourceCodec | undefined }>();

function codecFor({ definition, custom }: FormQuestion): ResourceCodec | undefined {
  let known = codecs.get(definition);
  if (known === undefined || known.custom !== custom) {
    const definitions: readonly ResourceDefinition[] =
      custom === undefined ? builtinResources : customDefinitions(JSON.parse(custom) as CustomResourceDefinition);
    const d = definitions.find((candidate) => idOf(candidate) === definition);
    known = { custom, codec: d && codecOf(builtinSchemas, definitions, d) };
    codecs.set(definition, known);
  }
  return known.codec;
}

function answer(question: FormQuestion): FormAnswer {
  const { id, value: received } = question;
  const value = Buffer.from(received.buffer, received.byteOffset, received.byteLength);
  try {
    const form = codecFor(question)?.serve(value);
    if (form === undefined) return { id };
    const { bytes, ...rest } = form;
    return { id, form: bytes === value ? rest : { ...rest, bytes } };
  } catch {
    // The reader that needs it will see why.
    return { id };
  }
}
port.on('message', (question: FormQuestion) => port.postMessage(answer(question)));

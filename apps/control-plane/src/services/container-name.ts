import { randomInt } from "node:crypto";

const adjectives =
  "agile amber ample apt azure bold brave brisk bright calm clear clever cosy crisp dapper eager early fair fleet fresh gentle glad grand happy hardy honest humble jolly keen kind lively lucid lucky mellow merry mild modest neat nimble noble placid plucky polite prime proud quick quiet rapid ready robust rosy royal serene sharp shiny sleek smart snug solid sound spry stable steady still stoic strong subtle sunny swift tidy trusty upbeat vivid warm wise witty zesty".split(
    " ",
  );
const animals =
  "badger beaver bison bittern buzzard camel caribou cheetah condor cormorant crane curlew dipper dolphin dunlin eagle egret falcon ferret finch fox gannet gazelle gecko goose grebe heron hare hawk hedgehog hornbill ibex ibis jackdaw jay kestrel kite lapwing lark leopard linnet lynx magpie marten merlin mink moose narwhal newt nightjar ocelot oriole osprey otter owl panther pelican petrel pipit plover puffin quail raven robin salmon seal shrike siskin sparrow starling stork swallow swan swift tern thrush toucan vole walrus warbler wren".split(
    " ",
  );

/** A name for a container whose caller gave none: `brave_otter`. With `attempt` above 0, when that was taken, also a number. */
export function makeContainerName(attempt: number): string {
  const name = `${pick(adjectives)}_${pick(animals)}`;
  return attempt === 0 ? name : `${name}_${randomInt(10 ** (attempt + 1))}`;
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? "";
}

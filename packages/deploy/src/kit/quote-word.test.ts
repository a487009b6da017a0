import { expect, test } from "vitest";
import { circusWord, dockerValue, supervisorWord, systemdWord } from "./quote-word.ts";

test.each(["app.ini", "/srv/shop/current/configs/web-1.ini", "WEB_2", "a@b:9+c=d,e"])("%s stays as it is", (word) => {
  for (const quote of [systemdWord, supervisorWord, circusWord, dockerValue]) expect(quote(word)).toBe(word);
});

test.each([
  ["with blanks", '"with blanks"', '"with blanks"', '"with blanks"', '"with blanks"'],
  ["Größe.ini", '"Größe.ini"', '"Größe.ini"', '"Größe.ini"', '"Größe.ini"'],
  ["50%.ini", '"50%%.ini"', '"50%%.ini"', '"50%.ini"', '"50%.ini"'],
  ["$HOME.ini", '"$$HOME.ini"', '"$HOME.ini"', '"$HOME.ini"', '"\\$HOME.ini"'],
  ['a"b\\c', '"a\\"b\\\\c"', '"a\\"b\\\\c"', '"a\\"b\\\\c"', '"a\\"b\\\\c"'],
  ["it's; so", '"it\'s; so"', '"it\'s; so"', '"it\'s; so"', '"it\'s; so"'],
  ["", '""', '""', '""', '""'],
])("%j is one word to each", (word, systemd, supervisor, circus, docker) => {
  expect([systemdWord(word), supervisorWord(word), circusWord(word), dockerValue(word)]).toEqual([systemd, supervisor, circus, docker]);
});

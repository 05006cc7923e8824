// Plays one step of the application and dies right before one of the calls that leave a trace: FOLDER STEP CALL.
import { writeSync } from "node:fs";
import { killScene, type KillStep, plays } from "./kill-scene.ts";

const [folder = "", step = "", call = ""] = process.argv.slice(2);
let calls = 0;

function dieInTime(): void {
  calls += 1;
  if (calls === Number(call)) process.kill(process.pid, "SIGKILL");
}

/** The same object, whose calls of these names die when it is time. */
function mortal<Thing extends object>(thing: Thing, ...names: readonly (keyof Thing)[]): Thing {
  return new Proxy(thing, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...args: readonly unknown[]): unknown => {
        if (names.includes(name as keyof Thing)) dieInTime();
        return Reflect.apply(member, target, args);
      };
    },
  });
}

const scene = await killScene(folder, {
  drop: (drop) => mortal(drop, "replace"),
  store: (store) => mortal(store, "put", "remove"),
  replicas: (replicas) => mortal(replicas, "register", "write", "remove"),
  piece: dieInTime,
});
await plays[step as KillStep](scene.replicating);
await scene.close();
writeSync(1, `${calls}`);

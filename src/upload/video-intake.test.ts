import assert from "node:assert/strict";
import { test } from "node:test";
import { newVideoId } from "../core/ids.ts";
import type { TakenVideo } from "../library/library.ts";
import { PacedIntake } from "./video-intake.ts";

test("looks into no more originals at once than it may, and into all in turn", async () => {
  const looks: PromiseWithResolvers<TakenVideo>[] = [];
  const intake = new PacedIntake(
    {
      newUpload: () => ({ videoId: newVideoId(), key: "a" }),
      abandon: async () => {},
      complete: () => {
        const look = Promise.withResolvers<TakenVideo>();
        looks.push(look);
        return look.promise;
      },
    },
    2,
  );
  const upload = () => ({ ...intake.newUpload(), fileName: "a", title: null, description: null });
  const ends = Array.from({ length: 5 }, () => intake.complete(upload()).catch(() => "failed"));
  for (let done = 0; done < ends.length; done++) {
    assert.equal(looks.length, Math.min(done + 2, ends.length));
    // One that fails gives its turn on too; nobody here looks at the video.
    if (done === 2) looks[done]?.reject(new Error("damaged"));
    else looks[done]?.resolve({} as TakenVideo);
    await ends[done];
    await Promise.resolve();
  }
  assert.equal((await Promise.all(ends)).filter((end) => end === "failed").length, 1);
});

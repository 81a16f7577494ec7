import type { RenditionFacts, TrackFacts } from "../api/model.ts";
import { bitrateText, codecText, formatText } from "../text/figures.ts";

/** What viewers can choose from. */
export function RenditionTable({ renditions }: { renditions: readonly RenditionFacts[] }) {
  if (renditions.length === 0) return null;
  return (
    <section class="panel">
      <h2>Renditions</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Codec</th>
            <th scope="col">Format</th>
            <th scope="col" class="number">
              Average
            </th>
            <th scope="col" class="number">
              Peak
            </th>
          </tr>
        </thead>
        <tbody>
          {renditions.map((rendition) => (
            <tr key={rendition.id}>
              <th scope="row">
                {rendition.id}
                {rendition.origin === "source" && <small>as it came</small>}
              </th>
              <td data-label="Codec" title={rendition.codec}>
                {codecText(rendition.codec)}
              </td>
              <td data-label="Format">{formatOf(rendition)}</td>
              <td data-label="Average" class="number">
                {bitrateText(rendition.average_bps)}
              </td>
              <td data-label="Peak" class="number">
                {bitrateText(rendition.peak_bps)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface TrackTableProps {
  tracks: readonly TrackFacts[];
  encoder: string | null | undefined;
}

/** What the encoder sends. */
export function TrackTable({ tracks, encoder }: TrackTableProps) {
  if (tracks.length === 0) return null;
  return (
    <section class="panel">
      <h2>From the encoder{encoder && <small> {encoder}</small>}</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Track</th>
            <th scope="col">Codec</th>
            <th scope="col">Format</th>
            <th scope="col" class="number">
              Bit rate
            </th>
          </tr>
        </thead>
        <tbody>
          {tracks.map((track) => (
            <tr key={track.kind}>
              <th scope="row">{track.kind === "video" ? "Video" : "Audio"}</th>
              <td data-label="Codec" title={track.codec}>
                {codecText(track.codec)}
              </td>
              <td data-label="Format">{formatOf(track)}</td>
              <td data-label="Bit rate" class="number">
                {bitrateText(track.bitrate_bps)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function formatOf(facts: TrackFacts | RenditionFacts): string {
  return formatText({
    width: facts.width,
    height: facts.height,
    frameRate: facts.frame_rate,
    sampleRateHz: facts.sample_rate_hz,
    channelCount: facts.channel_count,
  });
}

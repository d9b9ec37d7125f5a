/** What was recorded, as plain data: of this everything is drawn. */
import type { Slice } from "./events.ts"
import type { Before, ChannelTrack, Recorder, Track } from "./recorder.ts"

export interface Recording {
  /** The time of day when it began, in milliseconds since 1970. */
  readonly began: number
  /** The time of its end, in milliseconds since its beginning. */
  readonly end: number
  readonly tracks: ReadonlyArray<Track>
  readonly channels: ReadonlyArray<ChannelTrack>
  /** Where in the source somebody may stand, by their numbers; the first is where nothing is known. */
  readonly places: ReadonlyArray<string>
  /** Where everybody was before the first event that is kept. */
  readonly before: ReadonlyArray<Before>
  readonly events: Slice
}

/** What a recorder has written down. */
export const recordingOf = (recorder: Recorder): Recording => ({
  began: recorder.began,
  end: recorder.endedAt,
  tracks: recorder.tracks,
  channels: recorder.channelTracks,
  places: recorder.places.lines,
  before: recorder.stateBefore,
  events: recorder.events.kept
})

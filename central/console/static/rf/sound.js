// Short sounds that are told apart without looking: taken, finished, wrong.

/** Pitches in Hz, each for 90 ms. @type {Record<string, number[]>} */
const TUNES = { step: [880], done: [660, 990], bad: [220, 180, 220, 180], note: [440] };
const NOTE_S = 0.09;
/** @type {AudioContext | null} */
let context = null;

/** @param {'step' | 'done' | 'bad' | 'note'} what */
export function play(what) {
  context ??= new AudioContext();
  void context.resume();
  TUNES[what].forEach((pitch, n) => {
    const at = /** @type {AudioContext} */ (context).currentTime + n * NOTE_S;
    const tone = new OscillatorNode(/** @type {AudioContext} */ (context), { type: what === 'bad' ? 'square' : 'sine', frequency: pitch });
    const loud = new GainNode(/** @type {AudioContext} */ (context), { gain: 0.2 });
    tone.connect(loud).connect(/** @type {AudioContext} */ (context).destination);
    tone.start(at);
    tone.stop(at + NOTE_S * 0.9);
  });
  navigator.vibrate?.(what === 'bad' ? [120, 60, 120] : 30);
}

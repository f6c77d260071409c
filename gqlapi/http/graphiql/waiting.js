// Shows the progress of the build, and reloads the page when it has ended.
const config = JSON.parse(document.getElementById('graphiql').dataset.config);
const address = new URL(`${config.endpoint}/assets/build.json`, location.href);
const state = document.getElementById('state');

async function update() {
  try {
    const response = await fetch(address, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    const { progress } = await response.json();
    if (progress === null) return location.reload();
    state.textContent = `${progress.step}, ${progress.seconds} s`;
  } catch {
    state.textContent = 'The server does not answer. This page tries again.';
  }
  setTimeout(update, 1000);
}

update();

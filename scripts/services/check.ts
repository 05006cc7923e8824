export async function checkServices() {
  return true;
}

import type { ProfileResult } from "../../runtime/profile.ts";
export const profilePage = (_: ProfileResult, title: string): string => title;
